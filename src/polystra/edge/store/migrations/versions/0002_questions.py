"""views of orders, fills, holdings and cash; indexes for reports

Never edited once released: a later step replaces a view by dropping it and making it anew.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_ORDER_STATES = """
CREATE VIEW order_states AS
SELECT o.id AS order_id, (
    SELECT s.after FROM order_steps AS s WHERE s.order_id = o.id ORDER BY s.id DESC LIMIT 1
) AS state
FROM orders AS o
"""

_STAGED_FILLS = """
CREATE VIEW staged_fills AS
SELECT f.trade, f.order_id, f.run, f.seq, f.at, f.market, f.outcome, f.side, f.price_micro, f.shares_micro,
       f.liquidity, f.fee_micro, f.fee_shares_micro, f.cash_micro, f.late, s.stage
FROM fills AS f
JOIN fill_stages AS s ON s.id = (
    SELECT MAX(later.id) FROM fill_stages AS later WHERE later.order_id = f.order_id AND later.trade = f.trade
)
"""

_LIVE_FILLS = "CREATE VIEW live_fills AS SELECT * FROM staged_fills WHERE stage <> 'FAILED'"

_POSITIONS = """
CREATE VIEW positions AS
SELECT market, outcome,
       SUM(bought - sold + adjusted) AS shares_micro,
       SUM(bought) AS bought_micro, SUM(sold) AS sold_micro, SUM(adjusted) AS adjusted_micro,
       SUM(paid) AS paid_micro, SUM(received) AS received_micro, SUM(fee) AS fee_micro
FROM (
    SELECT market, outcome, shares_micro - fee_shares_micro AS bought, 0 AS sold, 0 AS adjusted,
           -cash_micro AS paid, 0 AS received, fee_micro AS fee
    FROM live_fills WHERE side = 'BUY'
    UNION ALL
    SELECT market, outcome, 0, shares_micro, 0, 0, cash_micro, fee_micro FROM live_fills WHERE side = 'SELL'
    UNION ALL
    SELECT market, outcome, 0, 0, after_micro - before_micro, 0, 0, 0 FROM adjustments
) AS moves
GROUP BY market, outcome
"""

_CASH = """
CREATE VIEW cash AS
SELECT deposited_micro, traded_micro, redeemed_micro, deposited_micro + traded_micro + redeemed_micro AS cash_micro
FROM (
    SELECT (SELECT COALESCE(SUM(amount_micro), 0) FROM deposits) AS deposited_micro,
           (SELECT COALESCE(SUM(cash_micro), 0) FROM live_fills) AS traded_micro,
           (SELECT COALESCE(SUM(amount_micro), 0) FROM redemptions) AS redeemed_micro
) AS parts
"""


def upgrade() -> None:
    op.create_index("decisions_by_market", "decisions", ["market"])
    op.create_index("denials_by_market", "denials", ["market"])
    op.create_index("settlements_by_time", "settlements", ["at"])
    op.create_index("notes_by_kind", "notes", ["kind"])
    for view in (_ORDER_STATES, _STAGED_FILLS, _LIVE_FILLS, _POSITIONS, _CASH):
        op.execute(view)
