"""Recordings on a venue: when their moments come, what they do, what they leave alone."""

from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.app.exchange_host import HostOptions, HostUnusable, refuse_untradable
from polystra.app.playback import Playback, listing_of
from polystra.app.settings import Settings
from polystra.app.world_rules import world_rules
from polystra.core.events import PricePrinted, TickSizeChanged
from polystra.core.ids import MarketId
from polystra.core.markets import Generation, PriceSource
from polystra.core.units import Instant, Tick, price, seconds
from polystra.edge.tapes.format import RecordingError, TapeEvent, TapeFile
from polystra.exchange.inputs import Input
from polystra.exchange.inputs import Played as InputPlayed
from polystra.exchange.members import Members
from polystra.exchange.pace import SteppedClock
from polystra.exchange.price_feeds import Feed, PriceBoard
from polystra.exchange.venue import Venue
from polystra.sim import messages as sim
from polystra.sim.rules import Rules
from tests.price_cases import price_row
from tests.truth import after, book, tape_file, window

NOW = Instant(seconds(2_000_000_000))
MARKET = replace(window(), id=MarketId("0x" + "ab" * 32))
RULES = world_rules(Settings(), 1)
CLOSES = 300 + RULES.resolve_after // seconds(1)


class Played:
    """A venue whose clock steps from one due moment of its recordings to the next."""

    def __init__(self, *files: TapeFile, speed: float = 1.0) -> None:
        self.clock = SteppedClock(NOW)
        self.venue = Venue(rules=Rules(), rng=Random(1), clock=self.clock, members=Members("1"))
        self.prices = PriceBoard()
        self.playback = Playback(self.venue, files, RULES, begins=NOW, speed=speed, prices=self.prices)

    def step(self) -> float:
        """The seconds from the beginning at which the next thing happens."""
        due = self.playback.next_due()
        assert due is not None
        self.clock.move_to(due)
        self.playback.step()
        return (due - NOW) / 1e9

    def bid(self) -> int:
        return self.venue.book(MARKET.id).bids[0][0]


class Told:
    """The record of a venue: what it says in public about its books."""

    def __init__(self) -> None:
        self.public: list[type[sim.Output]] = []
        self.inputs: list[type[Input]] = []

    def took(self, one: Input) -> None:
        self.inputs.append(type(one))

    def did(self, output: sim.Output) -> None:
        self.public.append(type(output))


def recorded(*rows: float, payout: str | None = "1") -> TapeFile:
    return tape_file(MARKET, [book(MARKET, second, "0.50x10", "0.52x10") for second in rows], payout)


@pytest.mark.parametrize("speed", [1.0, 0.5, 4.0])
def test_the_first_row_is_now_and_all_later_moments_come_so_many_times_sooner(speed: float) -> None:
    played = Played(recorded(-20, 100), speed=speed)
    assert [played.step() for _ in range(4)] == [0, 0, 120 / speed, (20 + CLOSES) / speed]
    assert played.playback.next_due() is None
    listing = played.venue.listings[MARKET.id]
    assert listing.facts.start == NOW + int(seconds(20) / Fraction(speed))
    assert listing.facts.end == NOW + int(seconds(320) / Fraction(speed))
    assert listing.listed_at == NOW
    assert listing.slug == MARKET.slug


def test_nothing_recorded_is_nothing_to_play() -> None:
    played = Played()
    assert played.playback.next_due() is None
    played.playback.step()
    assert played.venue.listings == {}


def test_a_window_closes_and_pays_what_was_recorded() -> None:
    played = Played(recorded(0, payout="0"))
    for _ in range(3):
        played.step()
    assert played.venue.payouts == {MARKET.id: 0}


def test_a_window_without_a_recorded_payout_closes_and_stays_unresolved() -> None:
    played = Played(recorded(0, payout=None))
    for _ in range(3):
        played.step()
    assert set(played.venue.closed_at) == {MARKET.id}
    assert played.venue.payouts == {}


def test_a_row_after_the_close_changes_nothing() -> None:
    late = tape_file(MARKET, [book(MARKET, 0, "0.50x1", "0.52x1"), book(MARKET, CLOSES + 1, "0.90x1", "0.92x1")])
    played = Played(late)
    for _ in range(4):
        played.step()
    assert played.venue.book(MARKET.id).bids == (), "a resolved market has no book"


def test_ticks_get_finer_and_a_recorded_coarser_one_is_passed_over() -> None:
    def tick(second: float, size: str) -> TickSizeChanged:
        return TickSizeChanged(at=after(second), market=MARKET.id, tick=Tick(price(size)))

    first = book(MARKET, 0, "0.50x1", "0.52x1")
    played = Played(tape_file(MARKET, [first, tick(1, "0.001"), tick(2, "0.01")]))
    for _ in range(4):
        played.step()
    assert played.venue.book(MARKET.id).tick == price("0.001")


def test_where_time_is_the_recordings_own_every_moment_is_as_recorded() -> None:
    venue = Venue(rules=Rules(), rng=Random(1), clock=SteppedClock(after(500)), members=Members("1"))
    playback = Playback(venue, [recorded(-20, 100)], RULES)
    assert (playback.begins, playback.next_due(), playback.over) == (after(-20), after(-20), False)
    playback.step()
    listing = venue.listings[MARKET.id]
    assert (listing.facts.start, listing.facts.end, listing.listed_at) == (MARKET.start, MARKET.end, after(-20))
    for _ in range(3):
        playback.step()
    assert (playback.next_due(), playback.over) == (None, True)


def test_a_row_that_states_the_book_as_it_stands_has_it_published_again_and_a_new_one_its_changes() -> None:
    rows = [book(MARKET, 0, "0.50x10", "0.52x10"), book(MARKET, 1, "0.50x10", "0.52x10")]
    played = Played(tape_file(MARKET, [*rows, book(MARKET, 2, "0.51x10", "0.52x10")]))
    told = Told()
    played.venue.keep(told)
    for _ in range(4):
        played.step()
    assert told.public == [sim.PublicBook, sim.PublicLevels, sim.PublicBook, sim.PublicLevels]
    assert told.inputs == [InputPlayed] * 4


def test_after_a_finer_tick_the_whole_book_is_told_and_after_one_that_is_no_news_nothing() -> None:
    def tick(second: float) -> TickSizeChanged:
        return TickSizeChanged(at=after(second), market=MARKET.id, tick=Tick(price("0.001")))

    played = Played(tape_file(MARKET, [book(MARKET, 0, "0.50x1", "0.52x1"), tick(1), tick(2)]))
    for _ in range(2):
        played.step()
    told = Told()
    played.venue.keep(told)
    for _ in range(2):
        played.step()
    assert told.public == [sim.PublicTick, sim.PublicBook]


def test_prices_of_the_underlying_go_to_the_board_at_their_moved_moment() -> None:
    first = book(MARKET, 0, "0.50x1", "0.52x1")
    spot = PricePrinted(
        at=after(2), asset="BTC", source=PriceSource.CHAINLINK_SPOT, value=64_000 * 10**6, stamped_at=after(1)
    )
    played = Played(tape_file(MARKET, [first, spot]), speed=2.0)
    for _ in range(3):
        played.step()
    (told,) = played.prices.recent(Feed.CHAINLINK, "BTC")
    assert (told.value, told.at) == (64_000 * 10**6, NOW + seconds(0.5))


def test_at_the_speed_of_life_a_window_starts_at_a_whole_second_as_its_price_to_beat_is_stamped() -> None:
    """The catalogue tells starts in seconds, so a window moved by half a second would have no price to beat."""
    now = Instant(NOW + seconds(0.6))
    venue = Venue(rules=Rules(), rng=Random(1), clock=SteppedClock(now), members=Members("1"))
    board = PriceBoard()
    rows: list[TapeEvent] = [book(MARKET, -1.25, "0.50x1", "0.52x1"), price_row(2, 64_000, stamp=MARKET.start)]
    playback = Playback(venue, [tape_file(MARKET, rows)], RULES, begins=now, prices=board)
    for _ in range(3):
        playback.step()
    listing = venue.listings[MARKET.id]
    assert listing.facts.start % 10**9 == 0
    assert [one.at for one in board.recent(Feed.TWAP_60, "BTC")] == [listing.facts.start]
    assert NOW - seconds(0.25) == playback.begins
    assert Playback(venue, [tape_file(MARKET, rows)], RULES, begins=playback.begins).begins == playback.begins


@pytest.mark.parametrize(
    ("settlement", "source"),
    [
        (PriceSource.CHAINLINK_TWAP_60, "https://data.chain.link/streams/btc-usd-twap-60s"),
        (PriceSource.BINANCE_CANDLE, "https://www.binance.com/en/trade/BTC_USDT"),
        (PriceSource.CHAINLINK_SPOT, ""),
        (None, ""),
    ],
)
def test_the_catalogue_says_what_a_recorded_market_settles_by(settlement: PriceSource | None, source: str) -> None:
    assert listing_of(replace(MARKET, settlement=settlement)).resolution_source == source


def test_a_recording_whose_ids_nobody_could_sign_for_is_refused_by_name() -> None:
    refuse_untradable([recorded(0)])
    bad = replace(recorded(0), market=replace(MARKET, id=MarketId("btc")), path=Path("far/away"))
    with pytest.raises(RecordingError, match="far/away: market btc: a condition id is 0x and 64 hex digits"):
        refuse_untradable([bad])
    unknown = replace(recorded(0), market=replace(MARKET, generation=Generation.UNKNOWN))
    with pytest.raises(RecordingError, match="no contract is known"):
        refuse_untradable([unknown])
    with pytest.raises(RecordingError, match="more than once"):
        refuse_untradable([recorded(0), recorded(0)])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"speed": 0.001}, "speed 0.001"),
        ({"speed": float("inf")}, "speed inf"),
        ({"accounts": 1_001}, "accounts 1001"),
        ({"port": -1}, "port -1"),
        ({"signature_types": ()}, "signature types: give at least one"),
    ],
)
def test_options_out_of_range_are_refused_by_name(wrong: dict[str, Any], words: str) -> None:
    HostOptions(settings=Settings(), files=[], seed=1)
    with pytest.raises(HostUnusable, match=words):
        HostOptions(settings=Settings(), files=[], seed=1, **wrong)
