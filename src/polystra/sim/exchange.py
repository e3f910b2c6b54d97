"""The pretend exchange: one pure machine that the engine, the wire and every test are measured against.

    request, now ──► Exchange.handle ──► outputs: answers, user updates, public updates
             now ──► Exchange.advance ─► what fell due: taker holds, MINED and CONFIRMED, expiries, caches, heartbeats

*One book a market, in Up terms.* Down is the mirror: BUY Down at 0.47 is SELL Up at 0.53. The background (recorded or
invented, `SetBook`, `ChangeLevels`, `PrintTrade`) and the orders of the clients stand in one price-time ladder
(`book`). What a client takes of the background stays taken until the recording states that level anew. A resting order
is served when a stated opposite level reaches its price, or when printed trades have eaten what was ahead (`queue`).

*An order* (`entry`) is checked in the venue's words (`rules`), held if it would take, checked again, planned against
the book (`matching`), and matched (`fills`), killed or rested (`life`). Two clients meet by transfer, mint or merge. An
account never trades with itself: its resting orders in the way are cancelled and the taker goes on (`matching`).

*Money* (`accounts`, `settlement`). A trade moves shares and cash at once, in the truth; it can be spent when MINED and
seen by the cache. A FAILED trade is taken back exactly. The background is an account too, the *street*, which mints and
merges as needed; the *venue* collects fees (`fees`) and dropped remainders, and pays makers if it is told to
(`payouts`). So, after every request:

    cash of all accounts + collateral of all markets = deposits;  shares of Up = shares of Down = collateral

(the latter until a resolved market is redeemed). `truth()` shows all of it; `balances()` only the cached view.

*Time and chance.* `now` is an argument and never goes back; due things happen at their own moment, before the request
that came at or after it. All chance comes from the Random given. Same seed, same requests: same outputs, byte for byte.
Recorded background is matched in every mode: if the exchange is DOWN, do not feed it. A mistake of the client is
answered; a mistake of whoever plays the world (a market unknown or listed twice, time going back) raises ValueError.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, TypeAlias

from polystra.core.ids import MarketId, VenueOrderId
from polystra.core.units import Instant
from polystra.sim import background, cancels, entry, funds, heartbeat, life, mishaps, modes, rewards
from polystra.sim import messages as m
from polystra.sim.floor import Floor
from polystra.sim.history import Point
from polystra.sim.messages import HeartbeatId
from polystra.sim.rebates import Rebate, rebates
from polystra.sim.records import Account, Balances, Book, OpenOrder, Trade, Truth
from polystra.sim.rewards import Earning
from polystra.sim.rules import Rules

Act: TypeAlias = Callable[[Floor, Any, Instant], None]

ACTS: Mapping[type[m.Request], Act] = {
    m.Submit: entry.submit,
    m.Cancel: cancels.cancel,
    m.CancelAll: cancels.cancel_all,
    m.CancelMarket: cancels.cancel_market,
    m.Beat: heartbeat.beat,
    m.RefreshBalances: funds.refresh_balances,
    m.Redeem: funds.redeem,
    m.Split: funds.split,
    m.Merge: funds.merge,
    m.Transfer: funds.transfer,
    m.ListMarket: background.list_market,
    m.SetBook: background.set_book,
    m.ChangeLevels: background.change_levels,
    m.PrintTrade: background.print_trade,
    m.SetTick: background.set_tick,
    m.CloseMarket: background.close_market,
    m.Resolve: background.resolve,
    m.Publish: background.publish,
    m.Deposit: funds.deposit,
    m.SetMode: modes.set_mode,
    m.SetRestriction: modes.set_restriction,
    m.Restart: modes.restart,
    m.SetMishap: mishaps.set_mishap,
}
"""What each request does; a test holds it equal to `messages.Request`."""


class Exchange:
    """Mutable. `rng` must be its own: nobody else may draw from it."""

    def __init__(self, rules: Rules, rng: Random) -> None:
        self._floor = Floor(rules, rng)

    def handle(self, request: m.Request, now: Instant) -> list[m.Output]:
        """What fell due until `now`, then what the request did, in order."""
        floor = self._floor
        floor.run_to(now)
        ACTS[type(request)](floor, request, now)
        return floor.collect()

    def next_due(self) -> Instant | None:
        """When `advance` has something to do next; None when nothing is pending."""
        return self._floor.next_due()

    def advance(self, now: Instant) -> list[m.Output]:
        """What fell due until `now`, each output stamped with its own moment."""
        self._floor.run_to(now)
        return self._floor.collect()

    def open_orders(self, account: Account) -> tuple[OpenOrder, ...]:
        """What rests, oldest first. An order in its taker hold is not there yet."""
        return tuple(order.shown() for order in life.orders_of(self._floor, account))

    def order(self, order: VenueOrderId) -> OpenOrder | None:
        """None when it ended, is still held, or never arrived: the venue tells these apart no better."""
        known = self._floor.resting.get(order)
        return known.shown() if known else None

    def trades(self, account: Account) -> tuple[Trade, ...]:
        """All trades of the account at their present stage, newest first."""
        known = self._floor.trades_of.get(account, [])
        return tuple(self._floor.trades[trade] for trade in reversed(known))

    def balances(self, account: Account) -> Balances:
        return self._floor.accounts.cached(account)

    def book(self, market: MarketId) -> Book:
        """The published book, whether followed or not; raises ValueError for a market never listed."""
        return self._floor.market(market).book()

    def history(self, market: MarketId, now: Instant) -> tuple[Point, ...]:
        """Up's middle at each whole minute up to `now`, oldest first. Let fall due what is due before you ask; raises
        ValueError for a market never listed."""
        return self._floor.history.points(self._floor.market(market), now)

    def heartbeat(self, account: Account) -> HeartbeatId:
        """The id that the next beat must carry, empty before the first."""
        return self._floor.beats.get(account, HeartbeatId(""))

    def seed_for(self, use: str) -> bytes:
        """Of a chance that belongs to this exchange and draws nothing from its own."""
        return self._floor.seed_for(use)

    def mishaps(self) -> Mapping[m.Mishap, m.SetMishap]:
        """Those that will still happen, with what is left of each."""
        return dict(self._floor.mishaps)

    def mishap_hits(self) -> Mapping[m.Mishap, int]:
        """How often each has happened."""
        return dict(self._floor.mishap_hits)

    def scores(self, order: VenueOrderId, now: Instant) -> bool:
        """Whether an order rests where it earns rewards (`rewards`)."""
        known = self._floor.resting.get(order)
        return known is not None and rewards.scores_now(self._floor.markets[known.market], known, now)

    def maker_scores(self, market: MarketId, now: Instant) -> dict[Account, int]:
        """Each maker's part of the rewards at this moment, the background's included; raises ValueError for a market
        never listed."""
        return rewards.maker_scores(self._floor.market(market), now)

    def earnings(self, now: Instant) -> tuple[Earning, ...]:
        """All rewards earned up to `now`. Let fall due what is due before you ask."""
        self._floor.rewards.reach(now, self._floor.markets.values())
        return self._floor.rewards.earnings()

    def rebates(self, day: int) -> tuple[Rebate, ...]:
        """What makers get of the fees of one UTC day, counted from 1970, the background included."""
        return rebates(self._floor.trades.values(), self._floor.markets, day)

    def holders(self, market: MarketId) -> tuple[Account, ...]:
        """Who owns shares of a market, the background left out; raises ValueError for one never listed."""
        facts = self._floor.market(market).facts
        return self._floor.accounts.holders((facts.up_token, facts.down_token))

    def truth(self) -> Truth:
        floor = self._floor
        return Truth(
            accounts=floor.accounts.truth(),
            orders=tuple(order.shown() for order in floor.resting.values()),
            trades=tuple(floor.trades.values()),
            supply=tuple(market.supply() for market in floor.markets.values()),
            fees=floor.fees,
            remainders=floor.remainders,
            deposited=floor.accounts.deposited,
            paid=floor.paid,
        )
