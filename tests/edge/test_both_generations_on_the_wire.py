"""The whole trader with a market of each generation of contracts, over the wire: discovered, signed, settled."""

from msgspec.structs import replace

from polystra.core import notes as nt
from polystra.core.ids import MarketId, TokenId
from polystra.core.markets import Generation, Series
from polystra.core.terms import Outcome, Side
from polystra.core.units import seconds
from polystra.exchange.faults import Fault
from tests.edge.wire_stage import Floor, WireStage, exchange_truth
from tests.truth import scripted, steady, tape_file, window, wish

__all__ = ["exchange_truth"]

UP = TokenId(str((1 << 248) | (0xABC123 << 104)))
OLD = window()
NEW = replace(
    OLD,
    id=MarketId(f"0x{int(UP):064x}"),
    slug=OLD.slug.replace("btc", "eth"),
    series=Series("ETH", seconds(300)),
    up_token=UP,
    down_token=TokenId(str(int(UP) | 1)),
    generation=Generation.PROTOCOL_V2,
)
STRANGE = replace(
    OLD,
    id=MarketId("0x" + "77" * 32),
    slug=OLD.slug.replace("btc", "sol"),
    series=Series("SOL", seconds(300)),
    up_token=TokenId(f"{10**76 + 100}"),
    down_token=TokenId(f"{10**76 + 101}"),
)
FILES = [tape_file(market, steady(market, "0.50x100", "0.52x100")) for market in (OLD, NEW, STRANGE)]


def test_both_generations_trade_in_one_session_and_unknown_contracts_are_left_alone(exchange_truth: WireStage) -> None:
    def before(floor: Floor) -> None:
        floor.fail(Fault.GENERATION_UNKNOWN, STRANGE.slug, times=None)

    run = exchange_truth.play_on_wire(FILES, scripted({20: wish(Outcome.UP, "0.52")}), before=before)
    assert run.floor.hits(Fault.GENERATION_UNKNOWN) > 0
    bought = {terms.market for _, terms in run.placed(Side.BUY)}
    assert bought == {OLD.id, NEW.id}
    for market in (OLD, NEW):
        assert run.held(market, Outcome.UP) > 0
    assert [run.held(STRANGE, outcome) for outcome in Outcome] == [0, 0]
    why = next(note for note in run.notes(nt.EntryDenied) if note.market == STRANGE.id)
    assert (why.limit, why.value, why.allowed) == ("contract generation", "unknown", "known")
    settled = {note.market for note in run.notes(nt.MarketSettled)}
    assert {OLD.id, NEW.id} <= settled
    run.agree()
