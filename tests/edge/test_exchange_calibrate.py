"""`polystra exchange calibrate`, run as people run it."""

from pathlib import Path

from tests.edge.cli_cases import polystra

QUICK = ("exchange", "calibrate", "--scenario", "thin", "--windows", "2")


def test_it_ends_with_what_is_near_the_recordings_and_what_is_not() -> None:
    ran = polystra(*QUICK)
    assert (ran.code, ran.err) == (0, "")
    assert "2 windows of btc-15m, 2 of a scenario" in ran.out
    last = " ".join(ran.out[ran.out.index("\nNear ") :].split())
    assert " - thin: " in last
    assert "size on five bids x 0." in last, "a thin book is no full one"


def test_the_same_as_json() -> None:
    found = polystra(*QUICK, "--json").json["comparisons"]
    assert [one["series"] for one in found] == ["btc-15m"]
    assert set(found[0]["ratios"]) == {"thin"}
    assert "size on five bids" in found[0]["ratios"]["thin"]
    assert "size on five bids" not in found[0]["near"]["thin"]
    assert found[0]["recorded"]["figures"]["trades a second"]["value"] is None


def test_what_cannot_be_measured_is_refused_in_one_line(tmp_path: Path) -> None:
    for options, words in (
        (("--data", tmp_path / "absent"), "there is no such folder"),
        (("--data", tmp_path), "the folder is empty"),
        (("--scenario", "windy"), "give one of calm, volatile"),
    ):
        ran = polystra("exchange", "calibrate", "--windows", "1", *options)
        assert (ran.code, ran.out) == (2, "")
        assert words in ran.error


def test_an_unknown_part_starts_no_exchange() -> None:
    ran = polystra("exchange", "calibrat")
    assert (ran.code, ran.out) == (2, "")
    assert "No such command" in ran.err
