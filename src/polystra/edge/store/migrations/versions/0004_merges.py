"""how far each merge of pairs is, and what it brought

Rows are added and never changed: the newest of a merge says where it stands. One that was paid has a row in `merges`
too, which counts as cash and takes its pairs out of both outcomes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_POSITIONS = """
CREATE VIEW positions AS
SELECT market, outcome,
       SUM(bought - sold + adjusted - merged) AS shares_micro,
       SUM(bought) AS bought_micro, SUM(sold) AS sold_micro, SUM(adjusted) AS adjusted_micro,
       SUM(merged) AS merged_micro,
       SUM(paid) AS paid_micro, SUM(received) AS received_micro, SUM(fee) AS fee_micro
FROM (
    SELECT market, outcome, shares_micro - fee_shares_micro AS bought, 0 AS sold, 0 AS adjusted, 0 AS merged,
           -cash_micro AS paid, 0 AS received, fee_micro AS fee
    FROM live_fills WHERE side = 'BUY'
    UNION ALL
    SELECT market, outcome, 0, shares_micro, 0, 0, 0, cash_micro, fee_micro FROM live_fills WHERE side = 'SELL'
    UNION ALL
    SELECT market, outcome, 0, 0, after_micro - before_micro, 0, 0, 0, 0 FROM adjustments
    UNION ALL
    SELECT market, outcome, 0, 0, 0, pairs_micro, 0, 0, 0
    FROM merges, (SELECT 'UP' AS outcome UNION ALL SELECT 'DOWN') AS outcomes
) AS moves
GROUP BY market, outcome
"""

_CASH = """
CREATE VIEW cash AS
SELECT deposited_micro, traded_micro, redeemed_micro, merged_micro,
       deposited_micro + traded_micro + redeemed_micro + merged_micro AS cash_micro
FROM (
    SELECT (SELECT COALESCE(SUM(amount_micro), 0) FROM deposits) AS deposited_micro,
           (SELECT COALESCE(SUM(cash_micro), 0) FROM live_fills) AS traded_micro,
           (SELECT COALESCE(SUM(amount_micro), 0) FROM redemptions) AS redeemed_micro,
           (SELECT COALESCE(SUM(pairs_micro), 0) FROM merges) AS merged_micro
) AS parts
"""


def upgrade() -> None:
    op.create_table(
        "merge_steps",
        sa.Column("id", _WHOLE, primary_key=True),
        sa.Column("merge", _WHOLE, nullable=False),
        sa.Column("market", sa.Text, sa.ForeignKey("markets.id"), nullable=False),
        sa.Column("at", _WHOLE, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("pairs_micro", _WHOLE, nullable=False),
        sa.Column("asked", sa.Text, nullable=True),
        sa.Column("why", sa.Text, nullable=False),
    )
    op.create_index("merge_steps_by_merge", "merge_steps", ["merge"])
    op.create_table(
        "merges",
        sa.Column("merge", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("market", sa.Text, sa.ForeignKey("markets.id"), nullable=False),
        sa.Column("at", _WHOLE, nullable=False),
        sa.Column("pairs_micro", _WHOLE, nullable=False),
    )
    op.create_index("merges_by_market", "merges", ["market"])
    for view in ("positions", "cash"):
        op.execute(f"DROP VIEW {view}")
    op.execute(_POSITIONS)
    op.execute(_CASH)
