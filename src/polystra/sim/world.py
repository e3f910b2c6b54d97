"""What the world tells the pretend exchange: markets and their recorded background, money, and what it lets through.

Books and trades are in Up terms. All amounts are millionths; all of these are named in `messages` too.
"""

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import Outcome, Side
from polystra.core.units import Instant, Nanos, Price, Shares, Usd
from polystra.sim.records import Account

Level: TypeAlias = tuple[Price, Shares]


class Mode(StrEnum):
    """What the exchange lets through. DOWN and DISABLED refuse cancels too."""

    NORMAL = "normal"
    DOWN = "down"
    POST_ONLY = "post-only"
    CANCEL_ONLY = "cancel-only"
    DISABLED = "disabled"


class Restriction(StrEnum):
    """What one account may do: a closed-only account sells but does not buy."""

    NONE = "none"
    CLOSED_ONLY = "closed-only"
    BANNED = "banned"


class Mishap(StrEnum):
    """What can go wrong behind the exchange's back: in its engine, on the chain and in its cache."""

    ORDER_DELAYED = "order-delayed"
    """An order that would take is answered `delayed` at once and matched `delay` later."""

    BOOK_THINNED = "book-thinned"
    """Of the background that an order would take, half is gone when it is matched."""

    BOOK_EMPTIED = "book-emptied"
    """All of the background that an order would take is gone when it is matched."""

    FILL_SHORT = "fill-short"
    """An order is filled whole with a hundredth of a share less than it asked for."""

    FILL_OVER = "fill-over"
    """An order that takes is filled with a hundredth of a share more than it asked for."""

    FILL_AFTER_CANCEL = "fill-after-cancel"
    """An order that is being cancelled was filled just before, which nobody hears until `delay` later."""

    FILL_AFTER_CLOSE = "fill-after-close"
    """An order that rests when its market closes is filled `delay` later."""

    TRADE_CROSSED = "trade-crossed"
    """The street stands across from a trade on the other outcome."""

    TRADE_FAILED = "trade-failed"
    """A trade goes RETRYING and FAILED, and is taken back."""

    TRADE_RETRIED = "trade-retried"
    """A trade goes RETRYING, and then on as usual."""

    BALANCE_STALE = "balance-stale"
    """The cached balance of one side of a mined trade does not see it before it is asked to read the chain."""

    BALANCE_LATE = "balance-late"
    """The cached balance of one side of a mined trade sees it after `delay`."""


class MarketFacts(Struct, frozen=True, gc=False, kw_only=True):
    """One window as the exchange runs it.

    `fee_rate` and `rebate_rate` are millionths; `fee_in_shares` is the era before 2026-04-28, when a BUY paid its fee
    in shares. A marketable order waits `taker_hold` before it is matched; with `answers_delayed` its answer does not
    wait but says `delayed`. Orders before `accepts_from` find the market not ready.

    An order of at least `reward_min` that has rested for `reward_age`, nearer to the middle than `reward_spread`,
    scores for rewards, of which there are `reward_rate` a day.
    """

    id: MarketId
    up_token: TokenId
    down_token: TokenId
    tick: Price = Price(10_000)
    min_shares: Shares = Shares(5_000_000)
    fee_rate: int = 0
    fee_exponent: int = 1
    rebate_rate: int = 0
    fee_in_shares: bool = False
    taker_hold: Nanos = Nanos(150_000_000)
    answers_delayed: bool = False
    accepts_from: Instant = Instant(0)
    start: Instant = Instant(0)
    end: Instant = Instant(0)
    reward_min: Shares = Shares(50_000_000)
    reward_spread: Price = Price(45_000)
    reward_age: Nanos = Nanos(30_000_000_000)
    reward_rate: Usd = Usd(0)

    def token(self, outcome: Outcome) -> TokenId:
        return self.up_token if outcome is Outcome.UP else self.down_token


class ListMarket(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    market: MarketFacts


class LevelChange(Struct, frozen=True, gc=False):
    """The new total size at one price, in Up terms; zero takes the level away."""

    side: Side
    price: Price
    size: Shares


class SetBook(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """The whole background book; sides in any order, every price at most once."""

    market: MarketId
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class ChangeLevels(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """New sizes of background levels."""

    market: MarketId
    changes: tuple[LevelChange, ...]


class PrintTrade(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Two others traded. It moves the queues at its price, never the background: the recording says that itself."""

    market: MarketId
    price: Price
    size: Shares
    taker: Side | None = None


class SetTick(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """A finer grid. The old one is part of it, so what rests stays."""

    market: MarketId
    tick: Price


class CloseMarket(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """No more orders and no more matches; what rests can still be cancelled."""

    market: MarketId


class Resolve(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """What one Up share pays: 1,000,000, 0, or 500,000 when void."""

    market: MarketId
    up_payout: Usd


class Publish(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Whether book and trades of a market are published; switching on sends the whole book."""

    market: MarketId
    on: bool = True


class Deposit(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Bring cash in. The account exists from its first deposit or request on."""

    account: Account
    amount: Usd


class SetMode(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """What is let through from now on; `until` only feeds the advice when to try again."""

    mode: Mode
    until: Instant | None = None


class Restart(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """The engine goes DOWN for so long, then lets only post-only orders in for so long, then everything. Another mode
    that is set meanwhile ends the sequence. What rests stays, which is not known of the real one."""

    down: Nanos = Nanos(90_000_000_000)
    post_only: Nanos = Nanos(120_000_000_000)


class SetMishap(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """How often this still happens: 0 for never, None for always. The first `skip` occasions pass; of the others,
    `chance` of a thousand are struck, by a draw of their own. `only` lets nothing be struck but what concerns this
    account, market, token, order or side. `delay` is for those that speak of one; a trade then takes so long to its
    first stage.
    """

    mishap: Mishap
    times: int | None = 1
    skip: int = 0
    chance: int = 1_000
    delay: Nanos = Nanos(0)
    only: str = ""


class SetRestriction(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    account: Account
    restriction: Restriction
