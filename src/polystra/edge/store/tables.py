"""Describes the ledger's tables as they are at the newest schema. How a file gets there is told in `migrations`.

Money, prices and shares are whole millionths in columns that end in `_micro`; instants are nanoseconds since 1970 in
columns that end in `at`; text in `facts`, `signals` and `body` is JSON. Rows of a table are added and never changed,
except for those of `markets` (facts become better known), `memories` (the latest counts) and the end of a run. What
can be derived has no column: how much of an order is filled, what is held and what cash there is are views.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    TableClause,
    Text,
    column,
    table,
)

METADATA = MetaData()

_WHOLE = BigInteger().with_variant(Integer, "sqlite")
"""64 bits everywhere; SQLite counts row ids only in a column whose type is INTEGER itself."""


def _whole(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, _WHOLE, nullable=null)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def _number() -> Column[int]:
    """Counts the rows, so the newest of an order, a trade or a market is the one with the highest number."""
    return Column("id", _WHOLE, primary_key=True)


def _stamp() -> tuple[Column[int], Column[int], Column[int]]:
    """The run, the journal's event and the moment a row comes from."""
    return Column("run", _WHOLE, ForeignKey("runs.id"), nullable=False), _whole("seq"), _whole("at")


schema_version = Table(
    "schema_version",
    METADATA,
    Column("number", _WHOLE, primary_key=True, autoincrement=False),
    _text("name"),
    _whole("applied_at"),
)

runs = Table(
    "runs",
    METADATA,
    _number(),
    _whole("started_at"),
    _text("mode"),
    _text("version"),
    _text("strategy"),
    _whole("seed"),
    _text("settings_digest"),
    _text("strategy_digest"),
    _text("calibration_digest"),
    _text("tape_digest"),
    _text("journal"),
    _whole("ended_at", null=True),
    _text("journal_sha256", null=True),
)

markets = Table(
    "markets",
    METADATA,
    Column("id", Text, primary_key=True),
    *_stamp(),
    _text("slug"),
    _text("asset"),
    _whole("start_at"),
    _whole("end_at"),
    _text("assumptions"),
    _text("facts"),
)

orders = Table(
    "orders",
    METADATA,
    Column("id", _WHOLE, primary_key=True, autoincrement=False),
    Column("run", _WHOLE, ForeignKey("runs.id"), nullable=False),
    _whole("seq"),
    Column("venue_order", Text, unique=True),
    Column("market", Text, ForeignKey("markets.id"), nullable=False),
    _text("outcome"),
    _text("side"),
    _text("purpose"),
    _whole("price_micro"),
    _whole("shares_micro"),
    _text("time_in_force"),
    Column("post_only", Boolean, nullable=False),
    _whole("expires_at", null=True),
    _whole("decided_at"),
    Index("orders_by_market", "market"),
)

order_steps = Table(
    "order_steps",
    METADATA,
    _number(),
    *_stamp(),
    _whole("order_id"),  # no foreign key: an order that could not be signed has a life but no intent
    _text("market"),
    _text("before"),
    _text("after"),
    _text("cause"),
    Index("order_steps_by_order", "order_id"),
)

fills = Table(
    "fills",
    METADATA,
    Column("trade", Text, primary_key=True),
    Column("order_id", _WHOLE, ForeignKey("orders.id"), primary_key=True, autoincrement=False),
    *_stamp(),
    _text("market"),
    _text("outcome"),
    _text("side"),
    _whole("price_micro"),
    _whole("shares_micro"),
    _text("liquidity"),
    _whole("fee_micro"),
    _whole("fee_shares_micro"),
    _whole("cash_micro"),
    Column("late", Boolean, nullable=False),
    Index("fills_by_market", "market"),
)

fill_stages = Table(
    "fill_stages",
    METADATA,
    _number(),
    *_stamp(),
    _text("trade"),
    _whole("order_id"),
    _text("stage"),
    ForeignKeyConstraint(["trade", "order_id"], ["fills.trade", "fills.order_id"]),
    Index("fill_stages_by_fill", "order_id", "trade"),
)

adjustments = Table(
    "adjustments",
    METADATA,
    _number(),
    *_stamp(),
    _text("market"),
    _text("outcome"),
    _text("cause"),
    _whole("before_micro"),
    _whole("after_micro"),
)

settlements = Table(
    "settlements",
    METADATA,
    Column("market", Text, ForeignKey("markets.id"), primary_key=True),
    *_stamp(),
    _whole("payout_up_micro"),
    _whole("up_shares_micro"),
    _whole("down_shares_micro"),
    _whole("redeemable_micro"),
    _whole("pnl_micro"),
    Index("settlements_by_time", "at"),
)

redemptions = Table(
    "redemptions",
    METADATA,
    Column("market", Text, ForeignKey("settlements.market"), primary_key=True),
    _whole("at"),
    _whole("amount_micro"),
)

claim_steps = Table(
    "claim_steps",
    METADATA,
    _number(),
    Column("market", Text, ForeignKey("settlements.market"), nullable=False),
    _whole("at"),
    _text("stage"),
    _whole("pays_micro"),
    _text("asked", null=True),
    _text("why"),
    Index("claim_steps_by_market", "market"),
)

merge_steps = Table(
    "merge_steps",
    METADATA,
    _number(),
    _whole("merge"),
    Column("market", Text, ForeignKey("markets.id"), nullable=False),
    _whole("at"),
    _text("stage"),
    _whole("pairs_micro"),
    _text("asked", null=True),
    _text("why"),
    Index("merge_steps_by_merge", "merge"),
)

merges = Table(
    "merges",
    METADATA,
    Column("merge", _WHOLE, primary_key=True, autoincrement=False),
    Column("market", Text, ForeignKey("markets.id"), nullable=False),
    _whole("at"),
    _whole("pairs_micro"),
    Index("merges_by_market", "market"),
)

deposits = Table("deposits", METADATA, _number(), _whole("at"), _whole("amount_micro"), _text("cause"))

decisions = Table(
    "decisions",
    METADATA,
    _number(),
    *_stamp(),
    _text("market"),
    _text("strategy"),
    _text("action"),
    _text("reason"),
    _text("outcome", null=True),
    _whole("probability_micro", null=True),
    _whole("price_micro", null=True),
    _whole("fee_micro", null=True),
    _whole("edge_micro", null=True),
    _text("signals"),
    Index("decisions_by_market", "market"),
)

denials = Table(
    "denials",
    METADATA,
    _number(),
    *_stamp(),
    _text("market"),
    _text("outcome"),
    _text("limit_name"),
    _text("value"),
    _text("allowed"),
    Index("denials_by_market", "market"),
)

memories = Table(
    "memories",
    METADATA,
    Column("market", Text, primary_key=True),
    Column("strategy", Text, primary_key=True),
    *_stamp(),
    Column("value", LargeBinary, nullable=False),
)

states = Table("states", METADATA, _number(), *_stamp(), _text("before"), _text("after"), _text("who"), _text("why"))

notes = Table(
    "notes",
    METADATA,
    _number(),
    *_stamp(),
    _text("kind"),
    _text("market", null=True),
    _text("body"),
    Index("notes_by_kind", "kind"),
)

order_states = table("order_states", column("order_id", _WHOLE), column("state", Text))
"""View: the last step of each intent; NULL where none is known."""


def _staged(name: str) -> TableClause:
    return table(name, *(column(one.name, one.type) for one in fills.columns), column("stage", Text))


staged_fills = _staged("staged_fills")
"""View: every fill with how far it got."""

live_fills = _staged("live_fills")
"""View: fills that count; those that FAILED are left out."""

positions = table(
    "positions",
    column("market", Text),
    column("outcome", Text),
    *(
        column(f"{name}_micro", _WHOLE)
        for name in ("shares", "bought", "sold", "adjusted", "merged", "paid", "received", "fee")
    ),
)
"""View: what is or was held of each outcome; `paid` and `received` have the fees in them."""

cash = table(
    "cash",
    *(column(f"{name}_micro", _WHOLE) for name in ("deposited", "traded", "redeemed", "merged", "cash")),
)
"""View, one row: deposits, plus what live fills paid and brought, plus what was redeemed and merged."""

VIEWS = (order_states, staged_fills, live_fills, positions, cash)
