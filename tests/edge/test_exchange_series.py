"""Series on the exchange: windows listed ahead and hydrated late, their flags to the end, and what settles them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polystra.app.playback import Playback
from polystra.app.scenarios import files_of_series, series_named
from polystra.app.settings import Settings
from polystra.app.world_rules import world_rules
from polystra.core.events import TickSizeChanged
from polystra.core.units import Instant, decimal, seconds
from polystra.edge.tapes.format import TapeFile
from polystra.exchange.control import CONTROL, Control
from polystra.exchange.faults import Fault
from tests.edge.answer_cases import hits, switch_on
from tests.edge.cli_cases import polystra
from tests.edge.exchange_cases import CONDITION, LISTING, UP, Running, Trader, exchange, terms
from tests.edge.exchange_process import Command, ask

FIRST = 1_795_608_000
"""2026-11-25 12:00 UTC: where a window of every length starts, two days after the test's clock does."""

RULES = world_rules(Settings(), 1)
CLOSES = RULES.resolve_after // seconds(1)


class Listed:
    """An exchange whose time stands still, and generated windows that play as far as a test wants."""

    def __init__(self, running: Running, files: list[TapeFile], hours: float = 0) -> None:
        self.running = running
        self.files = files
        self.playback = Playback(running.venue, files, RULES, prices=running.prices, ahead=seconds(hours * 3_600))

    def go_to(self, second: float) -> None:
        """To a moment so long after the start of the first window, all that is due by then included."""
        to = Instant(seconds(FIRST + second))
        self.running.on_loop(lambda: self._play(to))
        self.running.control("POST", "/time", {"to": to})

    def _play(self, to: Instant) -> None:
        while (due := self.playback.next_due()) is not None and due <= to:
            clock = self.running._clock
            assert clock is not None
            clock.move_to(max(due, clock.now()))
            self.playback.step()

    def gamma(self, number: int) -> Any:
        """What the catalogue says of a window; None while it does not know it."""
        slug = self.files[number].market.slug
        status, body = self.running.call("GET", f"{self.running.urls.gamma}/markets/slug/{slug}")
        return body if status == 200 else None

    def slugs(self, query: str = "") -> list[str]:
        """Those on the first page of open markets."""
        _, page = self.running.call("GET", f"{self.running.urls.gamma}/markets/keyset?limit=100{query}")
        return sorted(market["slug"] for market in page["markets"])

    def clob(self, number: int) -> tuple[int, Any]:
        return self.running.call("GET", f"{self.running.urls.clob}/clob-markets/{self.files[number].market.id}")

    def book(self, number: int) -> tuple[int, Any]:
        token = self.files[number].market.up_token
        return self.running.call("GET", f"{self.running.urls.clob}/book?token_id={token}")


def windows(names: str, count: int, scenario: str = "thin") -> list[TapeFile]:
    start = Instant(seconds(FIRST))
    return files_of_series(scenario, seed=1, windows=count, start=start, series=series_named(names))


@pytest.fixture
def still() -> Iterator[Running]:
    with Running(stepped=True) as running:
        yield running


# --- listed ahead


def test_a_window_is_shown_then_hydrated_then_open_then_closed_and_resolved(still: Running) -> None:
    listed = Listed(still, windows("BTC-5m", 2), hours=1)
    listed.go_to(-180)
    coming = listed.gamma(1)
    assert (coming["active"], coming["closed"], coming["acceptingOrders"]) == (True, False, False)
    assert (coming["clobTokenIds"], coming["outcomePrices"]) == ("[]", '["0.5", "0.5"]')
    assert not {"acceptingOrdersTimestamp", "bestBid", "bestAsk"} & set(coming)
    assert coming["startDate"] == "2026-11-25T11:57:00Z"
    assert coming["eventStartTime"] == "2026-11-25T12:05:00Z"
    assert (listed.clob(1)[0], listed.book(1)[0]) == (404, 404)

    listed.go_to(-121)
    assert listed.gamma(1) == coming
    listed.go_to(-120)
    known = listed.gamma(1)
    assert json.loads(known["clobTokenIds"]) == [listed.files[1].market.up_token, listed.files[1].market.down_token]
    assert (known["acceptingOrders"], known["startDate"]) == (True, coming["startDate"])
    assert known["acceptingOrdersTimestamp"] == "2026-11-25T11:58:00Z"
    assert listed.clob(1)[1]["ao"] is True
    assert (listed.book(1)[1]["bids"], listed.book(1)[1]["asks"]) == ([], [])

    listed.go_to(120)
    assert listed.book(1)[1]["bids"] != []
    listed.go_to(600)
    assert listed.gamma(1)["acceptingOrders"] is True
    listed.go_to(600 + CLOSES)
    ended = listed.gamma(1)
    assert (ended["closed"], ended["acceptingOrders"], ended["umaResolutionStatus"]) == (True, False, "resolved")
    won = listed.files[1].payout
    assert won is not None
    assert ended["outcomePrices"] == ('["1", "0"]' if won.up else '["0", "1"]')
    assert "ao" not in listed.clob(1)[1]
    assert listed.slugs() == []
    assert len(listed.slugs("&closed=true")) == 2


def test_coming_windows_roll_into_the_catalogue_and_none_comes_sooner(still: Running) -> None:
    files = windows("BTC-5m", 8)
    names = [file.market.slug for file in files]
    listed = Listed(still, files, hours=1 / 6)
    listed.go_to(-180)
    assert listed.slugs() == names[:2]
    listed.go_to(-1)
    assert listed.slugs() == names[:2]
    listed.go_to(0)
    assert listed.slugs() == names[:3]
    listed.go_to(300 + CLOSES)
    assert listed.slugs() == names[1:4]
    status, events = still.call("GET", f"{still.urls.gamma}/events?slug={names[3]}")
    assert (status, [event["slug"] for event in events]) == (200, [names[3]])
    assert events[0]["markets"][0]["acceptingOrders"] is False
    assert still.call("GET", f"{still.urls.gamma}/events?slug={names[4]}")[1] == []
    listed.go_to(360)
    _, (event,) = still.call("GET", f"{still.urls.gamma}/events?slug={names[3]}")
    assert (event["active"], event["closed"], event["markets"][0]["acceptingOrders"]) == (True, False, True)


def test_without_it_a_window_is_nowhere_until_its_recording_begins_and_then_everywhere(still: Running) -> None:
    listed = Listed(still, windows("BTC-5m", 2))
    listed.go_to(119)
    assert (listed.gamma(1), listed.clob(1)[0]) == (None, 404)
    listed.go_to(120)
    assert listed.gamma(1)["acceptingOrders"] is True
    assert listed.gamma(1)["startDate"] == "2026-11-25T12:02:00Z"
    assert listed.book(1)[1]["bids"] != []


def test_a_new_market_is_told_on_the_stream_when_the_clob_knows_it_and_once(still: Running) -> None:
    listed = Listed(still, windows("BTC-5m", 2), hours=1)
    stream = still.stream(still.urls.market_ws, {"assets_ids": [], "type": "market", "custom_feature_enabled": True})
    assert stream.hear() == []
    listed.go_to(121)
    assert stream.hear_kind("new_market")["slug"] == listed.files[0].market.slug
    assert stream.hear_kind("new_market")["slug"] == listed.files[1].market.slug
    stream.say("PING")
    assert stream.hear() == "PONG"


# --- hydrated late


@pytest.fixture
def running() -> Iterator[Running]:
    with exchange() as running:
        yield running


def test_the_clob_does_not_know_yet_what_the_catalogue_shows(running: Running) -> None:
    trader = Trader(running)
    running.fund(trader.account)
    switch_on(running, "hydrated-late", where=LISTING.slug, times=None)
    status, shown = running.call("GET", f"{running.urls.gamma}/markets/slug/{LISTING.slug}")
    assert (status, UP in shown["clobTokenIds"]) == (200, True)
    for path in (
        f"/clob-markets/{CONDITION}",
        f"/book?token_id={UP}",
        f"/tick-size?token_id={UP}",
        f"/markets/{CONDITION}",
    ):
        assert running.call("GET", running.urls.clob + path)[0] == 404
    assert running.post("/books", [{"token_id": UP}]) == (200, [])
    assert CONDITION not in [market["condition_id"] for market in running.get("/markets")["data"]]
    assert trader.place(terms())[0] == 404
    assert running.control("GET", "/truth")["orders"] == []
    assert hits(running, "hydrated-late") == 7

    running.control("DELETE", "/faults/hydrated-late")
    assert running.get(f"/clob-markets/{CONDITION}")["c"] == CONDITION
    assert trader.place(terms())[0] == 200


def test_it_is_late_so_many_times_and_for_one_market_only(running: Running) -> None:
    switch_on(running, "hydrated-late", where="eth-updown-15m-1", times=None)
    assert running.get(f"/book?token_id={UP}")["bids"] != []
    assert hits(running, "hydrated-late") == 0
    switch_on(running, "hydrated-late", where=LISTING.slug)
    assert running.call("GET", f"{running.urls.clob}/book?token_id={UP}")[0] == 404
    assert running.get(f"/book?token_id={UP}")["bids"] != []
    assert hits(running, "hydrated-late") == 1


# --- ticks and settlement


def test_a_finer_tick_at_the_edge_is_told_on_the_stream_and_a_fact_of_both_services(still: Running) -> None:
    (file,) = windows("BTC-5m", 1, "trend")
    finer = next(row for row in file.load().rows if isinstance(row, TickSizeChanged))
    when = (finer.at - seconds(FIRST)) / 1e9
    listed, market = Listed(still, [file]), file.market
    listed.go_to(when - 0.000001)
    assert (listed.gamma(0)["orderPriceMinTickSize"], listed.clob(0)[1]["mts"]) == (0.01, 0.01)
    stream = still.stream(still.urls.market_ws, {"assets_ids": [market.up_token, market.down_token], "type": "market"})
    stream.hear()
    listed.go_to(when + 0.000001)
    told = [stream.hear_kind("tick_size_change") for _ in range(2)]
    assert {one["asset_id"] for one in told} == {market.up_token, market.down_token}
    assert {(one["old_tick_size"], one["new_tick_size"]) for one in told} == {("0.01", "0.001")}
    assert stream.hear_kind("book")["tick_size"] == "0.001"
    assert (listed.gamma(0)["orderPriceMinTickSize"], listed.clob(0)[1]["mts"]) == (0.001, 0.001)
    assert still.get(f"/tick-size?token_id={market.up_token}") == {"minimum_tick_size": 0.001}


def test_the_hour_that_binance_shows_is_the_one_that_settled_the_window(still: Running) -> None:
    (file,) = windows("SOL-1h", 1)
    listed, tape = Listed(still, [file]), file.load()
    listed.go_to(3_600 + CLOSES)
    query = f"symbol=SOLUSDT&interval=1h&startTime={FIRST}000&limit=1"
    _, ((_, opened, _, _, closed, *_),) = still.call("GET", f"{still.urls.binance}/api/v3/klines?{query}")
    assert tape.official is not None
    assert (float(opened), float(closed)) == (float(tape.official.price_to_beat), float(tape.official.final_price))
    ended = listed.gamma(0)
    assert "binance.com" in ended["resolutionSource"]
    assert ended["outcomePrices"] == ('["1", "0"]' if float(closed) >= float(opened) else '["0", "1"]')
    assert tape.strike is not None
    assert decimal(tape.strike) == tape.official.price_to_beat


# --- the command


def test_several_series_with_a_tier_and_all_windows_of_the_day_are_put_up_by_one_line(tmp_path: Path) -> None:
    chosen = ("--scenario", "thin", "--series", "BTC-5m,ETH-15m", "--windows", "4", "--ahead", "24", "--tier", "elite")
    log = ("--recorded-time", "--log", str(tmp_path / "inputs"))
    command = Command(tmp_path / "said", "--json", *chosen, *log)
    try:
        here = command.line()
        slugs = {market["slug"] for market in ask(here["gamma"] + "/markets?limit=100")}
        assert slugs == {
            *(f"btc-updown-5m-{1_790_812_800 + 300 * number}" for number in range(4)),
            "eth-updown-15m-1790812800",
            "eth-updown-15m-1790813700",
        }
        assert ask(here["control"] + "/limits")["tier"] == "elite"
        assert command.stop()[0] == 0
    finally:
        command.end()
    sooner = [*chosen[:6], "--ahead", "1", *log]
    ran = polystra("exchange", "--json", *sooner)
    assert ran.code == 2
    assert "give --ahead 24, or give another file" in ran.error
    again = Command(tmp_path / "again", "--json", *chosen, *log)
    try:
        here = again.line()
        assert {market["slug"] for market in ask(here["gamma"] + "/markets?limit=100")} == slugs
        assert again.stop()[0] == 0
    finally:
        again.end()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--series", "BTC-5m"), "--series BTC-5m: recordings have series of their own, give --scenario too"),
        (("--scenario", "calm", "--series", "BTC-7m"), "series btc-7m: give 5m, 15m, 1h or 4h"),
        (("--ahead", "25"), "ahead 25: give 0 to 24 hours"),
        (("--ahead", "nan"), "ahead nan: give 0 to 24 hours"),
        (("--tier", "wood"), "tier wood: give one of none, standard, copper"),
    ],
)
def test_what_cannot_be_put_up_is_one_line_and_exit_code_2(arguments: tuple[str, ...], words: str) -> None:
    ran = polystra("exchange", "--json", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.error


def test_help_lists_every_route_of_control_and_every_fault(running: Running) -> None:
    text = polystra("exchange", "--help").out
    assert "docs/exchange.md" in text
    venue = running.venue
    routes = Control(venue, faults=running.faults, pace=None, limits=None, gate=None).routes()  # type: ignore[arg-type]
    for route in routes:
        path = (CONTROL + route.path).removesuffix("/{fault}")
        assert re.search(rf"^{route.method} .*{path}|^GET, POST .*{path}", text, re.MULTILINE), path
    for fault in Fault:
        assert re.search(rf"^{fault} ", text, re.MULTILINE), fault
