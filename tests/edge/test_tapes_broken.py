"""What a person reads when a recording is damaged: one line that names the file, the fault and the way out."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from polystra.edge.tapes.arnav import labels
from polystra.edge.tapes.format import RecordingError
from polystra.edge.tapes.library import Library, bundled, discover

SLUG = "btc-updown-5m-1776081600"
BOOK = '{"event_type":"book","asset_id":"11","timestamp":"1776081600000","bids":[{"price":"0.4","size":"5"}],"asks":[]}'
INDEX = "slug,condition_id,token_id,token_outcome,n_msgs_token,token_result_inferred\n"


def said(break_it: Callable[[], Any]) -> str:
    with pytest.raises(RecordingError) as caught:
        break_it()
    text = str(caught.value)
    assert "\n" not in text
    assert text.count("; ") >= 1, "the fix comes last"
    return text


def load_all(folder: Path) -> list[Any]:
    return [file.load() for file in discover(folder)]


def pack(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstandard.compress(text.encode()))
    return path


def cronos(folder: Path, text: str = f"1776081600.5\t{BOOK}\n", row: str = f"{SLUG},0xab,11,Down,1,won\n") -> Path:
    packed = pack(folder / "windows" / f"{SLUG}.tsv.zst", text)
    (folder / "windows.csv").write_text(INDEX + row)
    return packed


def resolvedkit(folder: Path, **changed: Any) -> None:
    books: dict[str, Any] = {
        "market_id": ["0xab"],
        "ts": [1_790_586_000_123],
        "side": ["DOWN"],
        "bid_px": [[0.4]],
        "bid_sz": [[5.0]],
        "ask_px": [[0.45]],
        "ask_sz": [[7.0]],
    }
    markets = {
        "market_id": ["0xab"],
        "slug": ["btc-updown-15m-1790586000"],
        "start_ts": [1_790_586_000_000],
        "end_ts": [1_790_586_900_000],
        "payout_up": [1.0],
        "payout_down": [0.0],
    }
    for name, values in changed.items():
        table = markets if name in ("slug", "start_ts", "payout_up") else books
        table[name] = values
    folder.mkdir(exist_ok=True)
    pq.write_table(
        pa.table({name: values for name, values in books.items() if values is not None}), folder / "books.parquet"
    )
    pq.write_table(pa.table(markets), folder / "markets.parquet")


def arnav(folder: Path, *events: str, label: str = '{"resolved_up":1,"final_price":2.5,"price_to_beat":2.25}') -> Path:
    head = f'{{"cid":"{SLUG}","token_up":"11","token_down":"12","label":{label},"events":['
    return pack(folder / f"window_{SLUG}.json.zst", head + ",".join(events) + "]}")


def xx8(folder: Path, *lines: str) -> None:
    pack(folder / "market-ws.jsonl.zst", "\n".join(lines))
    market = {"slug": SLUG, "conditionId": "0xab", "upTokenId": "11", "downTokenId": "12"}
    (folder / "markets.json").write_text(json.dumps({"current": {**market, "tickSize": 0.01, "minOrderSize": 5}}))


# --- whole ones, so that what follows breaks for its own reason alone -------------------------------------------------


def test_the_small_recordings_of_this_file_are_whole(tmp_path: Path) -> None:
    for name in ("c", "r", "a", "x"):
        (tmp_path / name).mkdir()
    cronos(tmp_path / "c")
    resolvedkit(tmp_path / "r")
    arnav(tmp_path / "a", '[1776081600.5,"p","11","0.5","3"]')
    xx8(tmp_path / "x", f'{{"capturedAt":1776081600,"payload":{BOOK}}}')
    (tmp_path / "notes").mkdir()

    library = discover(tmp_path)

    assert [len(file.load()) for file in library] == [1, 1, 1, 1]
    assert [file.source for file in library] == ["a", "c", "x", "r"], "by start, then by source"
    assert library.unread == ("notes",)


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    assert "there is no such folder" in said(lambda: discover(tmp_path / "gone"))


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "books.parquet").touch()
    assert "give the folder in which it lies" in said(lambda: discover(tmp_path / "books.parquet"))


def test_an_empty_folder_names_the_known_layouts(tmp_path: Path) -> None:
    text = said(lambda: discover(tmp_path))
    assert "the folder is empty" in text
    assert "books.parquet and markets.parquet" in text


def test_a_folder_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "errors.json").write_text("{}")
    assert "no recording in it" in said(lambda: discover(tmp_path))


@pytest.mark.parametrize("name", ["books.parquet", "markets.parquet", "windows.csv", "market-ws.jsonl.zst"])
def test_half_a_recording_names_the_missing_half(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert f"{name} is here, " in said(lambda: discover(tmp_path))


# --- packed files -----------------------------------------------------------------------------------------------------


def test_a_file_cut_off(tmp_path: Path) -> None:
    packed = cronos(tmp_path)
    packed.write_bytes(packed.read_bytes()[:-5])
    text = said(lambda: load_all(tmp_path))
    assert f"{SLUG}.tsv.zst: the zstd data ends early" in text
    assert text.endswith("fetch the file again")


def test_a_file_that_was_never_packed(tmp_path: Path) -> None:
    cronos(tmp_path).write_text("1776081600.5\t{}\n")
    assert "damaged zstd data" in said(lambda: load_all(tmp_path))


def test_a_file_of_nothing(tmp_path: Path) -> None:
    cronos(tmp_path).write_bytes(b"")
    assert "the file is empty" in said(lambda: load_all(tmp_path))


def test_a_file_packed_in_two_frames_is_read_whole(tmp_path: Path) -> None:
    packed = cronos(tmp_path)
    packed.write_bytes(packed.read_bytes() * 2)
    assert len(load_all(tmp_path)[0]) == 2


def test_a_missing_unpacker_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cronos(tmp_path)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    assert "pip install 'polystra[recordings]'" in said(lambda: load_all(tmp_path))


# --- raw book messages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (f"1776081600.5\t{BOOK[:-9]}", "line 2 is not JSON"),
        (f"1776081600.5 {BOOK}", "line 2 does not begin with a receive time"),
        ("\x00garbage", "line 2 does not begin with a receive time"),
        (f"nan\t{BOOK}", "line 2 does not begin with a receive time"),
    ],
)
def test_a_garbage_line_is_named_by_its_number(tmp_path: Path, line: str, fault: str) -> None:
    cronos(tmp_path, f"1776081600.5\t{BOOK}\n{line}\n")
    assert fault in said(lambda: load_all(tmp_path))


def test_a_receive_time_that_goes_back_is_held_and_one_that_goes_on_is_kept(tmp_path: Path) -> None:
    times = ["1776081600.5", "1776081601.25", "1776081600.75", "1776081602"]
    cronos(tmp_path, "".join(f"{time}\t{BOOK}\n" for time in times))
    moments = [event.at for event in load_all(tmp_path)[0].events()]
    assert [at - 1_776_081_600_000_000_000 for at in moments] == [500_000_000, *[1_250_000_000] * 2, 2_000_000_000]


def test_a_message_that_is_no_book_is_counted_and_the_rest_read(tmp_path: Path) -> None:
    cronos(tmp_path, f'1776081600.5\t{BOOK}\n\n1776081600.6\t{{"event_type":7}}\n')
    (tape,) = load_all(tmp_path)
    assert (len(tape), tape.skipped) == (1, {"not a market message": 1})


def test_a_window_without_events(tmp_path: Path) -> None:
    cronos(tmp_path, "\n")
    assert f"no events of {SLUG}" in said(lambda: load_all(tmp_path))


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("", f"{SLUG} lacks its row in windows.csv"),
        (f"{SLUG},0xab,11,Down,1,won\nbtc-updown-5m-1776081900,0xcd,13,,1,\n", "lacks its file in windows/"),
        (f"{SLUG},0xab,11,Down\n", "line 2 is not a row of the table"),
        (f"{SLUG},0xab,11,Sideways,1,won\n", "'SIDEWAYS' is not a valid Outcome"),
    ],
)
def test_an_index_that_does_not_fit_its_windows(tmp_path: Path, row: str, fault: str) -> None:
    cronos(tmp_path, row=row)
    assert fault in said(lambda: discover(tmp_path))


def test_an_index_without_a_column(tmp_path: Path) -> None:
    cronos(tmp_path)
    (tmp_path / "windows.csv").write_text(f"slug,condition_id\n{SLUG},0xab\n")
    assert "windows.csv: no column token_id" in said(lambda: discover(tmp_path))


# --- Parquet ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"bid_sz": None}, "no column bid_sz"),
        ({"ts": ["soon"]}, "column ts holds text, not int64"),
        ({"bid_px": [["0.4"]]}, "column bid_px holds list<"),
        ({"bid_sz": [[5.0, 6.0]]}, "bid_px and bid_sz differ in length"),
        ({"bid_px": [[0.4000001]]}, "a number of bid_px has more than six decimals"),
        ({"bid_px": [[float("nan")]]}, "a number of bid_px is not finite"),
        ({"ask_sz": [[float("inf")]]}, "a number of ask_sz is not finite"),
        ({"ask_sz": [[1e300]]}, "a number of ask_sz is not finite or too large"),
        ({"ask_sz": [[0.0]]}, "a size of ask_sz is not above 0"),
        ({"ask_px": [[1.0]]}, "a price of ask_px is not between 0 and 1"),
        ({"ask_px": pa.array([[None]], pa.list_(pa.float64()))}, "a value of ask_px is missing"),
        ({"ts": pa.array([None], pa.int64())}, "a value of ts is missing"),
        ({"side": ["LEFT"]}, "side 'LEFT'"),
        ({"market_id": ["0xcd"]}, "no events of btc-updown-15m-1790586000"),
        ({"payout_up": [0.7]}, "pays 0.7 and 0.0"),
        ({"slug": ["fed-decision"]}, "'fed-decision' is no up/down slug"),
        ({"start_ts": [0]}, "start_ts and end_ts contradict the slug"),
    ],
)
def test_a_table_that_is_not_what_it_should_be(tmp_path: Path, changed: dict[str, Any], fault: str) -> None:
    resolvedkit(tmp_path, **changed)
    assert fault in said(lambda: load_all(tmp_path))


def test_the_noise_of_added_doubles_is_taken_off(tmp_path: Path) -> None:
    resolvedkit(tmp_path, bid_sz=[[1.9300000000000002]])
    ((_, size),) = next(iter(load_all(tmp_path)[0].events())).asks
    assert size == 1_930_000


@pytest.mark.parametrize("name", ["books.parquet", "markets.parquet"])
def test_a_table_cut_off(tmp_path: Path, name: str) -> None:
    resolvedkit(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-40])
    assert f"{name}: not a whole Parquet file" in said(lambda: load_all(tmp_path))


# --- event tapes and labels -------------------------------------------------------------------------------------------


def test_odd_events_are_counted_and_the_rest_read(tmp_path: Path) -> None:
    odd = ['[1776081600.5,"p","11","1e309","3"]', '[1776081600.5,"p","99","0.5","3"]', '[null,"p","11","0.5","3"]']
    odd += ['[1776081600.5,"s",1776081600.0,1e400]', '[1776081600.5,"b","11","1","1"]', "[]", '["later"]']
    odd += ['[1776081600.5,"p","11","0.5","0"]', '[1776081600.5,"s",1776081600.0,"NaN"]']
    arnav(tmp_path, *odd, '[1776081600.5,"p","12","0.4","3"]')

    (tape,) = load_all(tmp_path)

    assert len(tape) == 1
    assert next(tape.events()).price == 600_000
    assert tape.skipped == {
        "another market": 1,
        "not an event": 2,
        "price": 2,
        "price of the underlying": 2,
        "size": 1,
        "time": 1,
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"cid":"x"}', "no events in its first block"),
        (f'{{"cid":"{SLUG}","events":[]}}', "not a recorded window"),
        ("garbage", "no events in its first block"),
    ],
)
def test_an_event_tape_without_its_head(tmp_path: Path, text: str, fault: str) -> None:
    pack(tmp_path / f"window_{SLUG}.json.zst", text)
    assert fault in said(lambda: discover(tmp_path))


def test_an_event_tape_whose_events_end_early(tmp_path: Path) -> None:
    arnav(tmp_path, "[1")
    text = f'{{"cid":"{SLUG}","token_up":"1","token_down":"2",'
    text += '"label":{"resolved_up":1,"final_price":2,"price_to_beat":2},"events":[[1'
    pack(tmp_path / f"window_{SLUG}.json.zst", text)
    assert "not a recorded window" in said(lambda: load_all(tmp_path))


def test_an_event_tape_with_an_impossible_label(tmp_path: Path) -> None:
    arnav(tmp_path, "[]", label='{"resolved_up":1,"final_price":"NaN","price_to_beat":2}')
    assert "its label has no price of the underlying" in said(lambda: load_all(tmp_path))


@pytest.mark.parametrize("row", ["a,1,NaN,2", "a,maybe,1,2", "a,1", "a,1,1e999999999999,2"])
def test_a_label_that_is_none(tmp_path: Path, row: str) -> None:
    pack(tmp_path / "window_labels.csv.zst", f"window_id,resolved_up,final_price,price_to_beat\n{row}\n")
    assert "window_labels.csv.zst: " in said(lambda: list(labels(tmp_path)))


# --- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["garbage", "{}", '{"capturedAt":-1,"payload":{}}', '{"capturedAt":1776081600}'])
def test_a_line_that_is_no_captured_frame(tmp_path: Path, line: str) -> None:
    xx8(tmp_path, f'{{"capturedAt":1776081600,"payload":{BOOK}}}', line)
    assert "line 2 is not a captured frame" in said(lambda: load_all(tmp_path))


@pytest.mark.parametrize("content", ["garbage", "{}", '{"current":{"slug":"x"}}'])
def test_an_index_of_frames_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    xx8(tmp_path)
    (tmp_path / "markets.json").write_text(content)
    assert "its `current` market is not readable" in said(lambda: discover(tmp_path))


def test_a_whole_library_is_a_plain_value() -> None:
    library = bundled()
    assert isinstance(library, Library)
    assert len(library.files) == len(library) == len(list(library))
