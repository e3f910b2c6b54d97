"""`polystra replay`: a recorded run gives the same commands again, or the first event at which it does not."""

from itertools import pairwise
from pathlib import Path

import pytest

from polystra.app.replay import replay
from polystra.app.session import build_engine
from polystra.app.settings import Settings
from polystra.core.events import AnyEvent, LedgerLoaded, SnapshotTaken, Started, Woke
from polystra.core.ids import OrderId
from polystra.core.markets import Series
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome
from polystra.core.units import Instant, price, seconds, usd
from polystra.edge.store.journal import Decided, Journal, JournalHead, Record, Seen, read_journal
from tests.edge.cli_cases import Ran, polystra
from tests.truth import Stage, scripted, steady, tape_file, window, wish

STRICTER = "[strategy.tilted_prior]\nmin_edge_usd = 0.5\n"


@pytest.fixture
def journal(kept: tuple[Path, Ran]) -> Path:
    return kept[0] / "journal-0001.plj"


def records_of(journal: Path) -> tuple[JournalHead, list[Record]]:
    with read_journal(journal) as reading:
        return reading.head, list(reading)


def rewritten(path: Path, head: JournalHead, records: list[Record]) -> Path:
    with Journal(path, head) as copy:
        for record in records:
            if isinstance(record, Seen):
                copy.append(record.event)
            else:
                copy.append_step(record.seq, record.commands, record.notes)
    return path


@pytest.mark.spec("X13.A1", pure="a journal is compared with what the engine makes of it, the exchange has no part")
def test_a_recorded_run_replays_to_the_identical_command_stream(journal: Path, kept: tuple[Path, Ran]) -> None:
    ran = polystra("replay", journal)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"identical: {journal.name}, {kept[1].json['events']:,} events")


@pytest.mark.spec("X13.A1", pure="a journal is compared with what the engine makes of it, the exchange has no part")
def test_a_changed_rule_is_shown_at_the_first_event_where_it_decides_otherwise(journal: Path, tmp_path: Path) -> None:
    (tmp_path / "stricter.toml").write_text(STRICTER)
    ran = polystra("replay", journal, "--settings", tmp_path / "stricter.toml", "--json")
    assert ran.code == 1
    found = ran.json["first_difference"]
    first_order = next(
        record.seq for record in records_of(journal)[1] if isinstance(record, Decided) and "PlaceOrder" in str(record)
    )
    assert found["seq"] == first_order, "until the first order both settings stood aside"
    assert found["event"] == "Woke"
    assert any('"type":"PlaceOrder"' in line for line in found["recorded"])
    assert not any('"type":"PlaceOrder"' in line for line in found["now"])
    assert [one["name"] for one in ran.json["different_head"]] == ["settings", "strategy"]


@pytest.mark.spec("X13.A1", pure="a journal is compared with what the engine makes of it, the exchange has no part")
def test_one_altered_command_is_found_at_its_event(journal: Path, tmp_path: Path) -> None:
    """The recorded run is falsified in its last command; everything before it still agrees."""
    head, records = records_of(journal)
    place = max(index for index, one in enumerate(records) if isinstance(one, Decided) and one.commands)
    before = records[place]
    assert isinstance(before, Decided)
    records[place] = Decided(before.seq, before.commands[1:], before.notes)
    result = replay(rewritten(tmp_path / "altered.plj", head, records))
    assert result.difference is not None
    assert result.difference.seq == before.seq == result.events
    assert result.difference.recorded.commands == before.commands[1:]
    assert result.difference.now.commands == before.commands


def test_a_command_that_was_not_recorded_is_a_difference(journal: Path, tmp_path: Path) -> None:
    head, records = records_of(journal)
    place = next(index for index, one in enumerate(records) if isinstance(one, Decided))
    silenced = records[place]
    result = replay(rewritten(tmp_path / "silenced.plj", head, records[:place] + records[place + 1 :]))
    assert result.difference is not None
    assert result.difference.seq == silenced.seq
    assert result.difference.recorded.commands == ()


def test_a_step_that_is_recorded_where_nothing_follows_now_is_a_difference(journal: Path, tmp_path: Path) -> None:
    head, records = records_of(journal)
    told = next(record for record in records if isinstance(record, Decided))
    quiet = next(
        index
        for index, (one, after) in enumerate(pairwise(records))
        if isinstance(one, Seen) and isinstance(after, Seen) and one.seq > told.seq
    )
    records.insert(quiet + 1, Decided(records[quiet].seq, told.commands, told.notes))
    result = replay(rewritten(tmp_path / "invented.plj", head, records))
    assert result.difference is not None
    assert result.difference.seq == records[quiet].seq
    assert result.difference.now.notes == ()


def test_people_are_shown_what_was_recorded_and_what_is_now(journal: Path, tmp_path: Path) -> None:
    (tmp_path / "stricter.toml").write_text(STRICTER)
    ran = polystra("replay", journal, "--settings", tmp_path / "stricter.toml")
    assert ran.code == 1
    head, recorded, now = ran.out.index("first at event"), ran.out.index("\nRecorded\n"), ran.out.index("\nNow\n")
    assert head < recorded < ran.out.index("command  place o1: entry BUY") < now
    assert now < ran.out.index("note     stand aside: edge too small")
    assert "Other than when it was recorded" in ran.out


def test_a_torn_journal_replays_as_far_as_it_goes_and_says_so(journal: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.plj"
    torn.write_bytes(journal.read_bytes()[:-7])
    ran = polystra("replay", torn)
    assert ran.code == 0
    assert ran.out.startswith("identical: ")
    assert "torn at byte" in ran.out


def test_a_journal_that_ends_before_its_last_step_says_so(journal: Path, tmp_path: Path) -> None:
    """A process killed between an event and its step: what it led to then is not known, and no difference."""
    head, records = records_of(journal)
    last = max(index for index, one in enumerate(records) if isinstance(one, Decided))
    result = replay(rewritten(tmp_path / "killed.plj", head, records[:last]))
    assert result.identical
    assert result.unfinished == records[last].seq


def test_a_damaged_journal_is_a_wrong_result(journal: Path, tmp_path: Path) -> None:
    bad = bytearray(journal.read_bytes())
    bad[len(bad) // 2] ^= 0xFF
    (tmp_path / "bad.plj").write_bytes(bad)
    ran = polystra("replay", tmp_path / "bad.plj")
    assert ran.code == 1
    assert "damaged at byte" in ran.error


def test_settings_of_another_version_ask_for_a_file(journal: Path, tmp_path: Path) -> None:
    head, records = records_of(journal)
    older = JournalHead(**{name: getattr(head, name) for name in head.__struct_fields__} | {"settings": '{"gone":1}'})
    ran = polystra("replay", rewritten(tmp_path / "older.plj", older, records))
    assert ran.code == 2
    assert "unknown setting gone" in ran.error


def test_a_run_of_another_strategy_replays_when_it_is_given(exchange_truth: Stage) -> None:
    market = window()
    strategy = scripted({10: wish(Outcome.UP, "0.52")}, ExitPolicy(target=price("0.99"), min_age=seconds(60)))
    run = exchange_truth.play([tape_file(market, steady(market, "0.50x500", "0.52x200"))], strategy)
    journal = run.folder / "journal-0001.plj"
    assert replay(journal, strategy=strategy).identical
    otherwise = replay(journal)
    assert otherwise.difference is not None
    assert [one.name for one in otherwise.others] == ["strategy"]


def test_a_second_life_on_the_same_ledger_replays_too(exchange_truth: Stage) -> None:
    """Its journal begins with what the first life left in the ledger."""
    strategy = scripted({10: wish(Outcome.UP, "0.52")})
    for number in range(2):
        market = window(number)
        exchange_truth.play([tape_file(market, steady(market, "0.50x500", "0.52x200"))], strategy)
    assert replay(exchange_truth.folder / "journal-0002.plj", strategy=strategy).identical


def test_a_market_that_the_ledger_alone_remembers_replays_with_its_guardian(tmp_path: Path) -> None:
    """ETH was traded in an earlier life; this one trades nothing and only guards the rest."""
    settings, at = Settings(), Instant(window().start + seconds(60))
    ether = window(series=Series("ETH", seconds(300)), slug="eth-updown-5m-1790586000")
    engine = build_engine(settings, [])
    events: list[AnyEvent] = [
        LedgerLoaded(at=at, next_order=OrderId(1), cash=usd(100), markets=(ether,)),
        SnapshotTaken(at=at, cash=usd(100), settled=(), live=()),
        Started(at=at),
    ]
    head = JournalHead(version="1", mode="simulation", strategy="none", settings=settings.model_dump_json())
    with Journal(tmp_path / "guarded.plj", head) as journal:
        for event in events:
            step = engine.handle(event)
            journal.append_step(journal.append(event), step.commands, step.notes)
    result = replay(tmp_path / "guarded.plj")
    assert result.difference is None
    assert result.steps > 0


def test_a_journal_of_one_event_that_led_to_nothing(tmp_path: Path, journal: Path) -> None:
    head, _ = records_of(journal)
    result = replay(rewritten(tmp_path / "short.plj", head, [Seen(1, Woke(at=Instant(1)))]))
    assert (result.identical, result.events, result.steps) == (True, 1, 0)
