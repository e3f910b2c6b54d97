"""A market, its orders and fills, as the store's tests need them."""

from pathlib import Path

from polystra.core.commands import PlaceOrder
from polystra.core.fees import FeeSchedule
from polystra.core.ids import MarketId, OrderId, TokenId, TradeId, VenueOrderId
from polystra.core.markets import Generation, Market, Series
from polystra.core.notes import EntryDecided, FillBooked, MarketFollowed, OrderMoved
from polystra.core.terms import Liquidity, OrderTerms, Outcome, Purpose, Side, TradeStage
from polystra.core.units import Instant, Shares, Tick, Usd, cost_of, price, seconds, shares, usd
from polystra.edge.ready import Ready
from polystra.edge.store.db import open_database
from polystra.edge.store.durability import Durability
from polystra.edge.store.journal import JournalHead
from polystra.edge.store.ledger import Ledger
from polystra.edge.store.migrations import migrate

DAWN = Instant(1_790_000_000_000_000_000 // 86_400_000_000_000 * 86_400_000_000_000)
"""A midnight UTC."""

NOON = Instant(DAWN + seconds(43_200))

HEAD = JournalHead(version="0.1.0", mode="paper", strategy="momentum", seed=7, settings_digest="ab" * 32)


def window(number: int = 1, *, start: Instant = NOON) -> Market:
    return Market(
        id=MarketId(f"0x{number:064x}"),
        slug=f"btc-updown-15m-{number}",
        series=Series("BTC", seconds(900)),
        up_token=TokenId(str(number * 10 + 1)),
        down_token=TokenId(str(number * 10 + 2)),
        start=start,
        end=Instant(start + seconds(900)),
        tick=Tick(price("0.01")),
        min_shares=shares(5),
        fees=FeeSchedule(rate=70_000),
        generation=Generation.CLOB_V2,
        assumptions=("settlement source",),
    )


BTC = window()


def terms(market: Market = BTC, **changes: object) -> OrderTerms:
    wanted: dict[str, object] = {
        "market": market.id,
        "outcome": Outcome.UP,
        "side": Side.BUY,
        "purpose": Purpose.ENTRY,
        "price": price("0.53"),
        "shares": shares("5.62"),
    }
    return OrderTerms(**(wanted | changes))  # type: ignore[arg-type]


def intent(order: int, market: Market = BTC, **changes: object) -> Ready:
    command = PlaceOrder(order=OrderId(order), terms=terms(market, **changes))
    return Ready(command=command, venue_order=VenueOrderId(f"0xhash{order}"), body=b"signed")


def followed(market: Market = BTC) -> MarketFollowed:
    return MarketFollowed(market=market)


def born(order: int, market: Market = BTC) -> OrderMoved:
    return moved(order, "", "SUBMITTING", market=market)


def moved(order: int, before: str, after: str, cause: str = "", market: Market = BTC) -> OrderMoved:
    return OrderMoved(order=OrderId(order), market=market.id, before=before, after=after, cause=cause)


def booked(order: int, trade: str, amount: str, at: str, *, side: Side = Side.BUY, fee: str = "0", market: Market = BTC,
           stage: TradeStage = TradeStage.CONFIRMED, outcome: Outcome = Outcome.UP) -> FillBooked:  # fmt: skip
    value = cost_of(price(at), shares(amount))
    return FillBooked(
        order=OrderId(order),
        trade=TradeId(trade),
        market=market.id,
        outcome=outcome,
        side=side,
        price=price(at),
        shares=shares(amount),
        liquidity=Liquidity.TAKER,
        stage=stage,
        fee_usd=usd(fee),
        fee_shares=Shares(0),
        cash=Usd((-value if side is Side.BUY else value) - usd(fee)),
    )


def decided(action: str, reason: str, market: Market = BTC) -> EntryDecided:
    return EntryDecided(
        market=market.id,
        strategy="momentum",
        action=action,
        reason=reason,
        outcome=Outcome.UP,
        probability=610_000,
        price=price("0.53"),
        edge=60_000,
        signals=(("flow", 0.25), ("spot", None)),
    )


def open_ledger(path: Path, **options: int) -> Ledger:
    """A ledger at the newest schema, in a run."""
    db = open_database(path, durable=Durability.NORMAL, **options)
    try:
        migrate(db, DAWN)
        ledger = Ledger(db)
        ledger.begin_run(DAWN, HEAD, "run.journal")
    except BaseException:
        db.close()
        raise
    return ledger
