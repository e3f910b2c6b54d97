"""The dead-man's heartbeat (`PROTOCOL.md` E.9): who began to beat and stops loses all open orders.

Looked at every 5 s, so 10 to 15 s after the last beat. There is no way to disarm it: an order that comes to rest while
the heart is still is cancelled at the next look.
"""

import hashlib
from functools import partial

from polystra.core.units import Instant
from polystra.sim import life
from polystra.sim.floor import Floor
from polystra.sim.messages import Beat, BeatAnswered, HeartbeatId
from polystra.sim.records import Account


def beat(floor: Floor, request: Beat, now: Instant) -> None:
    account = request.account
    expected = floor.beats.get(account, HeartbeatId(""))
    accepted = request.heartbeat == expected
    if accepted:
        expected = floor.beats[account] = _beat_id(account, now)
        floor.lapsed.pop(account, None)
        due = Instant(now + floor.rules.heartbeat_patience)
        floor.set_alarm(_next_look(floor, due), partial(_look, floor, account, expected))
    floor.out.append(BeatAnswered(at=now, account=account, accepted=accepted, heartbeat=expected))


def _beat_id(account: Account, now: Instant) -> HeartbeatId:
    """Not drawn: whether somebody beats must not change what the others draw."""
    text = hashlib.sha256(f"{account} {now}".encode()).hexdigest()
    return HeartbeatId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}")


def guard(floor: Floor, account: Account) -> None:
    """An order of the account came to rest."""
    if account in floor.lapsed:
        floor.set_alarm(_next_look(floor, Instant(floor.now + 1)), partial(_look, floor, account, floor.beats[account]))


def _look(floor: Floor, account: Account, last: HeartbeatId, now: Instant) -> None:
    if floor.beats[account] != last:
        return
    floor.lapsed[account] = None
    for order in life.orders_of(floor, account):
        life.end(floor, order, life.CANCELED)
        floor.publish_changes(floor.markets[order.market], now)


def _next_look(floor: Floor, at: Instant) -> Instant:
    every = floor.rules.heartbeat_check
    return Instant(-(-at // every) * every)
