"""core tables

Never edited once released: a ledger that exists has these tables, whatever `tables` says by now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _runs_and_markets()
    _orders()
    _fills()
    _money()
    _reasons()


def _whole(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, _WHOLE, nullable=null)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def _number() -> sa.Column[int]:
    return sa.Column("id", _WHOLE, primary_key=True)


def _stamp() -> tuple[sa.Column[int], sa.Column[int], sa.Column[int]]:
    return sa.Column("run", _WHOLE, sa.ForeignKey("runs.id"), nullable=False), _whole("seq"), _whole("at")


def _runs_and_markets() -> None:
    op.create_table(
        "runs",
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
    op.create_table(
        "markets",
        sa.Column("id", sa.Text, primary_key=True),
        *_stamp(),
        _text("slug"),
        _text("asset"),
        _whole("start_at"),
        _whole("end_at"),
        _text("assumptions"),
        _text("facts"),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("run", _WHOLE, sa.ForeignKey("runs.id"), nullable=False),
        _whole("seq"),
        sa.Column("venue_order", sa.Text, unique=True),
        sa.Column("market", sa.Text, sa.ForeignKey("markets.id"), nullable=False),
        _text("outcome"),
        _text("side"),
        _text("purpose"),
        _whole("price_micro"),
        _whole("shares_micro"),
        _text("time_in_force"),
        sa.Column("post_only", sa.Boolean, nullable=False),
        _whole("expires_at", null=True),
        _whole("decided_at"),
    )
    op.create_index("orders_by_market", "orders", ["market"])
    op.create_table(
        "order_steps",
        _number(),
        *_stamp(),
        _whole("order_id"),
        _text("market"),
        _text("before"),
        _text("after"),
        _text("cause"),
    )
    op.create_index("order_steps_by_order", "order_steps", ["order_id"])


def _fills() -> None:
    op.create_table(
        "fills",
        sa.Column("trade", sa.Text, primary_key=True),
        sa.Column("order_id", _WHOLE, sa.ForeignKey("orders.id"), primary_key=True, autoincrement=False),
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
        sa.Column("late", sa.Boolean, nullable=False),
    )
    op.create_index("fills_by_market", "fills", ["market"])
    op.create_table(
        "fill_stages",
        _number(),
        *_stamp(),
        _text("trade"),
        _whole("order_id"),
        _text("stage"),
        sa.ForeignKeyConstraint(["trade", "order_id"], ["fills.trade", "fills.order_id"]),
    )
    op.create_index("fill_stages_by_fill", "fill_stages", ["order_id", "trade"])


def _money() -> None:
    op.create_table(
        "adjustments",
        _number(),
        *_stamp(),
        _text("market"),
        _text("outcome"),
        _text("cause"),
        _whole("before_micro"),
        _whole("after_micro"),
    )
    op.create_table(
        "settlements",
        sa.Column("market", sa.Text, sa.ForeignKey("markets.id"), primary_key=True),
        *_stamp(),
        _whole("payout_up_micro"),
        _whole("up_shares_micro"),
        _whole("down_shares_micro"),
        _whole("redeemable_micro"),
        _whole("pnl_micro"),
    )
    op.create_table(
        "redemptions",
        sa.Column("market", sa.Text, sa.ForeignKey("settlements.market"), primary_key=True),
        _whole("at"),
        _whole("amount_micro"),
    )
    op.create_table("deposits", _number(), _whole("at"), _whole("amount_micro"), _text("cause"))


def _reasons() -> None:
    op.create_table(
        "decisions",
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
    )
    op.create_table(
        "denials",
        _number(),
        *_stamp(),
        _text("market"),
        _text("outcome"),
        _text("limit_name"),
        _text("value"),
        _text("allowed"),
    )
    op.create_table(
        "memories",
        sa.Column("market", sa.Text, primary_key=True),
        sa.Column("strategy", sa.Text, primary_key=True),
        *_stamp(),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_table("states", _number(), *_stamp(), _text("before"), _text("after"), _text("who"), _text("why"))
    op.create_table("notes", _number(), *_stamp(), _text("kind"), _text("market", null=True), _text("body"))
