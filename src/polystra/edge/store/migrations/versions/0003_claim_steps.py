"""how far each redemption is

Rows are added and never changed: the newest of a market says where it stands. What it paid is in `redemptions`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "claim_steps",
        sa.Column("id", _WHOLE, primary_key=True),
        sa.Column("market", sa.Text, sa.ForeignKey("settlements.market"), nullable=False),
        sa.Column("at", _WHOLE, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("pays_micro", _WHOLE, nullable=False),
        sa.Column("asked", sa.Text, nullable=True),
        sa.Column("why", sa.Text, nullable=False),
    )
    op.create_index("claim_steps_by_market", "claim_steps", ["market"])
