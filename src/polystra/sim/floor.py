"""Everything the exchange remembers, its alarms and its outbox. The functions of the other modules act on it."""

from collections.abc import Callable
from hashlib import blake2b
from heapq import heappop, heappush
from random import Random
from typing import TypeAlias

from polystra.core.ids import MarketId, TokenId, TradeId, VenueOrderId
from polystra.core.terms import Outcome
from polystra.core.units import Instant, Usd
from polystra.sim.accounts import Accounts
from polystra.sim.history import MinuteHistory
from polystra.sim.markets import Market
from polystra.sim.messages import HeartbeatId, Mishap, Mode, Output, PublicLevels, Restriction, SetMishap
from polystra.sim.orders import Order
from polystra.sim.records import Account, Leg, Trade
from polystra.sim.rewards import Rewards
from polystra.sim.rules import Rules

Act: TypeAlias = Callable[[Instant], None]
"""What an alarm does; it is given the moment it was set for."""


class Floor:
    """Mutable. `resting` orders are in the book, `held` ones in their taker hold; `ended` says how others went."""

    def __init__(self, rules: Rules, rng: Random) -> None:
        self.rules = rules
        self.rng = rng
        self.now = Instant(0)
        self.out: list[Output] = []
        self.mode = Mode.NORMAL
        self.mode_until: Instant | None = None
        self.restrictions: dict[Account, Restriction] = {}
        self.mishaps: dict[Mishap, SetMishap] = {}
        self.mishap_hits: dict[Mishap, int] = dict.fromkeys(Mishap, 0)
        self.mishap_draws: dict[Mishap, int] = dict.fromkeys(Mishap, 0)
        self.accounts = Accounts()
        self.markets: dict[MarketId, Market] = {}
        self.tokens: dict[TokenId, tuple[Market, Outcome]] = {}
        self.resting: dict[VenueOrderId, Order] = {}
        self.held: dict[VenueOrderId, Order] = {}
        self.ended: dict[VenueOrderId, tuple[Account, str]] = {}
        self.trades: dict[TradeId, Trade] = {}
        self.trades_of: dict[Account, list[TradeId]] = {}
        self.unseen: dict[Account, dict[TradeId, Leg]] = {}
        self.beats: dict[Account, HeartbeatId] = {}
        self.lapsed: dict[Account, None] = {}
        self.fees = Usd(0)
        self.remainders = Usd(0)
        self.paid = Usd(0)
        self.payday: Instant | None = None
        self.history = MinuteHistory()
        self._alarms: list[tuple[Instant, int, Act]] = []
        self._alarms_set = 0
        self._names = rng.getrandbits(128).to_bytes(16, "big")
        self._named = 0
        self.rewards = Rewards(self._names)

    # --- time

    def set_alarm(self, at: Instant, act: Act) -> None:
        """Alarms of one moment go off in the order in which they were set."""
        self._alarms_set += 1
        heappush(self._alarms, (at, self._alarms_set, act))

    def next_due(self) -> Instant | None:
        return self._alarms[0][0] if self._alarms else None

    def run_to(self, now: Instant) -> None:
        """Raises ValueError when time would go back."""
        if now < self.now:
            raise ValueError(f"now {now}: the exchange is at {self.now} already, hand over moments in order")
        while self._alarms and self._alarms[0][0] <= now:
            at, _, act = heappop(self._alarms)
            self._pass_to(at)
            act(at)
        self._pass_to(now)

    def _pass_to(self, now: Instant) -> None:
        if now >= self.history.due:
            self.history.reach(now, self.markets.values())
        if now >= self.rewards.due:
            self.rewards.reach(now, self.markets.values())
        self.now = now

    # --- names

    def seed_for(self, use: str) -> bytes:
        """Of a chance of its own, which draws nothing from the exchange's."""
        return blake2b(use.encode(), key=self._names, digest_size=16).digest()

    def new_digits(self) -> str:
        """64 hexadecimal digits that the seed and a counter decide."""
        self._named += 1
        return blake2b(self._names + self._named.to_bytes(8, "big"), digest_size=32).hexdigest()

    def new_uuid(self) -> str:
        digits = self.new_digits()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"

    # --- look-ups and outputs

    def collect(self) -> list[Output]:
        """What was sent since the last time."""
        sent, self.out = self.out, []
        return sent

    def market(self, market: MarketId) -> Market:
        """Raises ValueError for one that was never listed: a mistake of whoever plays the world."""
        known = self.markets.get(market)
        if known is None:
            raise ValueError(f"market {market} is not listed: send ListMarket first")
        return known

    def publish_changes(self, market: Market, now: Instant) -> None:
        """Sends the levels touched since the last time, if anybody looks."""
        if not (market.bids.touched or market.asks.touched):
            return
        changes = (*market.bids.changes(), *market.asks.changes())
        if market.published:
            bid, ask = market.bids.best(), market.asks.best()
            self.out.append(PublicLevels(at=now, market=market.facts.id, changes=changes, best_bid=bid, best_ask=ask))
