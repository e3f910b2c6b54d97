"""What the exchange allows, with the venue's own words when it does not (`PROTOCOL.md` E).

`Rules` are the settings of the machine. The checks return None, or the `Refusal` that goes back to the client. They
come in this order: what is open at all, who asks, the payload, the market, price, tick, decimals, size, expiration.
"""

from msgspec import Struct

from polystra.core.ids import MarketId
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import MICRO, SIZE_STEP, Instant, Nanos, Price, Shares, Usd, seconds, show
from polystra.sim.latency import Span
from polystra.sim.messages import MarketFacts, Mode, OrderAnswer, Restriction, Submit
from polystra.sim.records import Account

SECOND = 1_000_000_000


class Rules(Struct, frozen=True, gc=False, kw_only=True):
    """`mined_after` counts from the match and `confirmed_after` from there on; `balance_lag` is how much later than
    MINED the cached balance sees it. `failure_rate` of all trades go RETRYING and FAILED, `retry_rate` go RETRYING and
    then on as usual; both are probabilities, drawn per trade. `partial_answer` is the status of an order that matched
    in part and rests (the sources disagree). `cross_rate` is how often the street stands on the other outcome's side
    of a trade (mint or merge instead of transfer), which shows in the counterparty's leg only. `pays_makers` has
    rewards and rebates paid out each midnight (`payouts`).
    """

    mined_after: Span = Span(seconds(2), seconds(4))
    confirmed_after: Span = Span(seconds(2), seconds(6))
    balance_lag: Span = Span(seconds(0.5), seconds(3))
    failure_rate: float = 0.0
    retry_rate: float = 0.0
    cross_rate: float = 0.5
    partial_answer: OrderAnswer = OrderAnswer.MATCHED
    least_marketable_buy: Usd = Usd(1_000_000)
    most_cancels: int = 1_000
    gtd_least: Nanos = seconds(180)
    gtd_margin: Nanos = seconds(60)
    heartbeat_patience: Nanos = seconds(10)
    heartbeat_check: Nanos = seconds(5)
    pays_makers: bool = False


class Refusal(Struct, frozen=True, gc=False):
    """The HTTP status of a single post and the text; `code` and `retry_after` (seconds) only in post-only mode."""

    http: int
    text: str
    code: str = ""
    retry_after: int | None = None


NOT_READY = Refusal(400, "the market is not yet ready to process new orders")
NO_BOOK = Refusal(404, "No orderbook exists for the requested token id")
BAD_PAYLOAD = Refusal(400, "Invalid order payload")
BAD_EXPIRATION = Refusal(400, "invalid expiration")
BAD_PRICE = Refusal(400, "invalid price, price must be greater than 0 and less than 1")
CROSSES = Refusal(400, "invalid post-only order: order crosses book")
FOK_KILLED = Refusal(400, "order couldn't be fully filled. FOK orders are fully filled or killed.")
FAK_KILLED = Refusal(
    400, "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
)
DOWN = Refusal(425, "service not ready")
DISABLED = Refusal(503, "Trading is currently disabled. Check polymarket.com for updates")
CANCEL_ONLY = Refusal(503, "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.")


def mode_refusal(mode: Mode, until: Instant | None, post_only: bool, now: Instant) -> Refusal | None:
    """Whether this kind of order is let through now."""
    if mode is Mode.CANCEL_ONLY:
        return CANCEL_ONLY
    if mode is Mode.POST_ONLY and not post_only:
        wait = None if until is None else max(0, -((now - until) // SECOND))
        text = "post-only mode: only post-only orders and cancels are allowed"
        return Refusal(503, text, "post_only_mode", wait)
    return shut(mode)


def shut(mode: Mode) -> Refusal | None:
    """Whether even cancels are refused."""
    return {Mode.DOWN: DOWN, Mode.DISABLED: DISABLED}.get(mode)


def account_refusal(account: Account, restriction: Restriction, side: Side) -> Refusal | None:
    if restriction is Restriction.BANNED:
        return Refusal(400, f"'{account}' address banned")
    if restriction is Restriction.CLOSED_ONLY and side is Side.BUY:
        return Refusal(400, f"'{account}' address in closed only mode")
    return None


def shares_of(order: Submit) -> int:
    return order.taker_amount if order.side is Side.BUY else order.maker_amount


def cash_of(order: Submit) -> int:
    return order.maker_amount if order.side is Side.BUY else order.taker_amount


def payload_refusal(order: Submit) -> Refusal | None:
    """What no client library builds: no shares, negative amounts, an immediate order that is to rest."""
    broken = shares_of(order) <= 0 or cash_of(order) < 0 or (order.post_only and order.time_in_force.immediate)
    return BAD_PAYLOAD if broken else None


def limit_price(order: Submit, tick: Price) -> Price | Refusal:
    """The ratio of the two amounts. An immediate order's are rounded, so its price may miss the grid by 0.0001."""
    cash, shares = cash_of(order), shares_of(order)
    if not 0 < cash < shares:
        return BAD_PRICE
    price, off = divmod(cash * MICRO, shares)
    if order.time_in_force.immediate:
        nearest = (2 * cash * MICRO + tick * shares) // (2 * tick * shares) * tick
        if abs(cash * MICRO - nearest * shares) <= 100 * shares:
            price, off = nearest, 0
    if off or price % tick or not tick <= price <= MICRO - tick:
        return Refusal(
            400, f"order {order.order} is invalid. Price ({show(price)}) breaks minimum tick size rule: {show(tick)}"
        )
    return Price(price)


_CASH_DECIMALS = {100_000: 3, 10_000: 4, 5_000: 5, 2_500: 6, 1_000: 5, 100: 6}
"""Decimals of a limit order's cash, by tick."""


def decimals_refusal(order: Submit, tick: Price) -> Refusal | None:
    """The amounts of an immediate order have fixed decimals, those of a limit order depend on the tick."""
    buy = order.side is Side.BUY
    if order.time_in_force.immediate:
        cash, shares = (2, 4) if buy else (4, 2)
        kind = "market buy" if buy else "sell"
    else:
        cash, shares = _CASH_DECIMALS[tick], 2
        kind = "buy" if buy else "sell"
    if cash_of(order) % 10 ** (6 - cash) == 0 and shares_of(order) % 10 ** (6 - shares) == 0:
        return None
    maker, taker = (cash, shares) if buy else (shares, cash)
    return Refusal(
        400,
        f"invalid amounts, the {kind} orders maker amount supports a max accuracy of {maker} decimals, "
        f"taker amount a max of {taker} decimals",
    )


def size_refusal(order: Submit, least: Shares) -> Refusal | None:
    """The least size binds orders that may rest, also when they match at once."""
    if order.time_in_force.immediate or shares_of(order) >= least:
        return None
    size = show(shares_of(order))
    return Refusal(400, f"order {order.order} is invalid. Size ({size}) lower than the minimum: {show(least)}")


def expiration_refusal(order: Submit, rules: Rules, now: Instant) -> Refusal | None:
    if order.time_in_force is not TimeInForce.GTD:
        return BAD_EXPIRATION if order.expiration else None
    return BAD_EXPIRATION if order.expiration * SECOND < now + rules.gtd_least else None


def cash_order_refusal(order: Submit, crosses: bool, least: Usd) -> Refusal | None:
    """The least cash of a BUY that takes: every immediate one, and a resting one that would match."""
    takes = order.side is Side.BUY and (crosses or order.time_in_force.immediate)
    if not takes or order.maker_amount >= least:
        return None
    text = f"invalid amount for a marketable BUY order (${show(order.maker_amount)}), min size: ${show(least)}"
    return Refusal(400, text)


def duplicated(order: Submit) -> Refusal:
    return Refusal(400, f"order {order.order} is invalid. Duplicated.")


def poor(balance: int, active: int, matched: int, amount: int) -> Refusal:
    """`balance` is the cached one, `active` what open orders hold back, `matched` what trades took of it unseen."""
    text = f"not enough balance / allowance: the balance is not enough -> balance: {balance}, "
    if active or matched:
        text += f"sum of active orders: {active}, sum of matched orders: {matched}, "
    return Refusal(400, f"{text}order amount: {amount}")


def check_market(facts: MarketFacts) -> None:
    """Raises ValueError for a market that cannot be run."""
    check_tick(facts.id, facts.tick)
    if facts.min_shares % SIZE_STEP or not 0 <= facts.fee_rate < MICRO or facts.fee_exponent not in (1, 2):
        raise ValueError(
            f"{facts.id}: min shares {facts.min_shares} must be whole hundredths of a share, fee rate {facts.fee_rate} "
            f"from 0 to 999999 millionths, fee exponent {facts.fee_exponent} 1 or 2"
        )


def check_tick(market: MarketId, tick: Price) -> None:
    """Raises ValueError for a grid the venue does not have."""
    if tick not in _CASH_DECIMALS:
        raise ValueError(f"{market}: tick {tick}, known are {sorted(_CASH_DECIMALS)} millionths")
