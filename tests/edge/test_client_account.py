"""What the running exchange tells an account of itself: holdings, restrictions, notifications."""

import json

import pytest

from polystra.core.units import Usd, price, shares, usd
from polystra.edge.polymarket.account_readings import AccountReadings
from polystra.edge.polymarket.account_wire import Holding, Notice, NoticeKind
from polystra.edge.polymarket.contracts import NEG_RISK, PROTOCOL_V2, STANDARD
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.client_cases import account
from tests.edge.exchange_cases import CONDITION, UP, Running, Trader, terms
from tests.edge.test_exchange_notifications import settle
from tests.edge.venue_cases import Client, http


def test_a_holding_says_what_each_exchange_may_move(running: Running, trader: Trader, ours: Client) -> None:
    settle(running)
    cash = ours.run(account(ours, trader).holding())
    held = ours.run(account(ours, trader).holding(UP))
    assert isinstance(cash, Holding)
    assert isinstance(held, Holding)
    assert (cash.balance, held.balance) == (usd("950"), shares("50"))
    for exchange_ in (STANDARD, NEG_RISK, PROTOCOL_V2):
        assert cash.allowance(exchange_.contract) == int(
            trader.get("/balance-allowance", "?asset_type=COLLATERAL")["allowances"][exchange_.contract]
        )
    assert cash.allowance(type(STANDARD.contract)("0x" + "11" * 20)) is None


@pytest.mark.parametrize(
    ("row", "allowed"),
    [
        ({"balance": "5", "allowance": "7"}, 7),
        ({"balance": "5", "allowances": {STANDARD.contract.upper().replace("0X", "0x"): str(2**256 - 1)}}, 2**256 - 1),
        ({"balance": "5", "allowances": {STANDARD.contract: "0"}}, 0),
        ({"balance": "5"}, None),
        ({"balance": "5", "allowances": None}, None),
    ],
)
def test_allowances_come_in_two_shapes_or_not_at_all(
    trader: Trader, ours: Client, row: dict[str, object], allowed: int | None
) -> None:
    script = ours.scripted(http(200, json.dumps(row)))
    found = ours.run(account(ours, trader, script.url).holding())
    assert isinstance(found, Holding)
    assert (found.balance, found.allowance(STANDARD.contract)) == (5, allowed)


def test_an_account_that_may_only_reduce_is_told(running: Running, trader: Trader, ours: Client) -> None:
    assert ours.run(account(ours, trader).closed_only()) is False
    running.feed(sim.SetRestriction(account=Account(trader.account), restriction=sim.Restriction.CLOSED_ONLY))
    assert ours.run(account(ours, trader).closed_only()) is True
    assert isinstance(ours.run(account(ours, trader, ours.scripted(http(200, "{}")).url).closed_only()), ReadingFailed)


def notices(ours: Client, read: AccountReadings) -> tuple[Notice, ...]:
    told = ours.run(read.notifications())
    assert isinstance(told, tuple), told
    return told


def test_notifications_are_read_and_dropped_one_by_one(running: Running, trader: Trader, ours: Client) -> None:
    read = account(ours, trader)
    assert notices(ours, read) == ()
    cancelled = trader.place(terms())[1]["orderID"]
    trader.call("DELETE", "/cancel-all")
    taken = trader.place(terms(at="0.51"))[1]["orderID"]
    settle(running)
    fill, cancel = notices(ours, read)
    assert (cancel.kind, cancel.order, cancel.market, cancel.token) == (NoticeKind.CANCELLED, cancelled, CONDITION, UP)
    assert (fill.kind, fill.order, fill.price, fill.size) == (NoticeKind.FILLED, taken, price("0.51"), shares("10"))
    assert fill.trade
    assert ours.run(read.drop_notifications([])) is None
    assert len(notices(ours, read)) == 2
    assert ours.run(read.drop_notifications([cancel.id])) is None
    assert notices(ours, read) == (fill,)
    assert ours.run(read.drop_notifications([cancel.id, fill.id])) is None
    assert notices(ours, read) == ()


def test_a_resolution_is_a_notice_about_a_market(running: Running, trader: Trader, ours: Client) -> None:
    running.feed(sim.CloseMarket(market=CONDITION), sim.Resolve(market=CONDITION, up_payout=Usd(10**6)))
    (told,) = notices(ours, account(ours, trader))
    assert (told.kind, told.market, told.order) == (NoticeKind.RESOLVED, CONDITION, None)


@pytest.mark.parametrize("body", ["null", "[]"])
def test_no_notifications_are_none(trader: Trader, ours: Client, body: str) -> None:
    assert notices(ours, account(ours, trader, ours.scripted(http(200, body)).url)) == ()


def test_a_notice_of_a_kind_that_nobody_knows_is_kept(trader: Trader, ours: Client) -> None:
    script = ours.scripted(http(200, '[{"id":"n9","type":77}]'))
    (told,) = notices(ours, account(ours, trader, script.url))
    assert (told.id, told.kind, told.at, told.price) == ("n9", NoticeKind.OTHER, None, None)


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1},
        {"id": 1, "type": 2, "payload": {"price": "2"}},
        {"id": 1, "type": 2, "payload": {"matched_size": "-1"}},
        {"id": 1, "type": 2, "payload": {"side": "UP"}},
    ],
)
def test_a_notice_with_nonsense_in_it_is_no_reading(trader: Trader, ours: Client, row: object) -> None:
    script = ours.scripted(http(200, json.dumps([row])), http(500, ""))
    assert isinstance(ours.run(account(ours, trader, script.url).notifications()), ReadingFailed)
