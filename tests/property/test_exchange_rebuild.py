"""An exchange that is killed at any byte of its log is made again as the inputs that are whole say, and goes on."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polystra.app.exchange_clock import TimeMode
from polystra.app.settings import Settings
from polystra.app.standing_exchange import Blueprint, Standing, stand
from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import Instant, price, seconds, shares, usd
from polystra.edge.polymarket.addresses import address_of
from polystra.edge.polymarket.auth import Credentials
from polystra.edge.polymarket.wallet import SignatureType
from polystra.edge.tapes.format import TapeFile
from polystra.exchange.inputs import Input, NoRecord
from polystra.exchange.members import Member
from polystra.exchange.pace import SteppedClock
from polystra.exchange.venue import STRANGER
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.truth import book, printed, tape_file, window

MARKET = replace(window(), id=MarketId("0x" + "ab" * 32))
UNKNOWN = MarketId("0x" + "ee" * 32)
OPENING = 4
"""Inputs that open the two accounts."""


def recorded() -> TapeFile:
    rows = [book(MARKET, 4 * n - 4, "0.50x100 0.49x50", f"0.52x{90 + n} 0.53x50") for n in range(9)]
    return tape_file(MARKET, [*rows, printed(MARKET, 21.5, "0.50", "400", Side.SELL)], "1")


def blueprint(log: Path | None) -> Blueprint:
    return Blueprint(
        settings=Settings(),
        files=[recorded()],
        recordings="those of this test",
        seed=5,
        mode=TimeMode.LOCK_STEP,
        speed=1.0,
        accounts=2,
        signature_types=(SignatureType.EOA, SignatureType.GNOSIS_SAFE),
        log=log,
    )


class Enough(Exception):
    """The next input was not whole in the log."""


class Whole(NoRecord):
    """Lets so many inputs through."""

    def __init__(self, count: int) -> None:
        self._left = count

    def took(self, one: Input) -> None:
        self.refuse_if_over()
        self._left -= 1

    def refuse_if_over(self) -> None:
        if self._left == 0:
            raise Enough


class Driven:
    """An exchange whose clock the test moves; recordings and the exchange's own things come at their time."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.venue = standing.venue
        assert isinstance(standing.clock, SteppedClock)
        self.clock = standing.clock
        self.orders = 0
        self.whole: Whole | None = None

    def pass_time(self, milliseconds: int) -> None:
        until = Instant(self.clock.now() + milliseconds * 1_000_000)
        while (due := self.standing.playback.next_due()) is not None and due <= until:
            if self.whole is not None:
                self.whole.refuse_if_over()  # before the recordings move on
            self.clock.move_to(max(due, self.clock.now()))
            self.standing.playback.step()
        self.settle(until)

    def settle(self, until: Instant) -> None:
        """Without the recordings."""
        self.clock.move_to(until)
        self.venue.advance()

    def place(
        self, who: int, side: Side, at: str, size: int, tif: TimeInForce, token: TokenId = MARKET.up_token
    ) -> None:
        """Sent, and its answer not waited for."""
        self.orders += 1
        account = self.standing.accounts[who]
        cash, amount = price(at) * size, shares(size)
        order = sim.Submit(
            account=Account(account.wallet),
            order=VenueOrderId(f"order {self.orders}"),
            token=token,
            side=side,
            maker_amount=cash if side is Side.BUY else amount,
            taker_amount=amount if side is Side.BUY else cash,
            time_in_force=tif,
        )
        asyncio.run(self._begin(order, Member(account.address, f"key {who}")))

    async def _begin(self, order: sim.Submit, member: Member) -> None:
        placing = asyncio.create_task(self.venue.place(order, member))
        await asyncio.sleep(0)
        if placing.done():
            placing.result()

    def drop_notices(self, who: int, numbers: list[str]) -> None:
        self.venue.drop_notices([Account(self.standing.accounts[who].wallet)], numbers)

    def ask(self, who: int, request: Callable[[Account], sim.Request]) -> None:
        self.venue.ask(request(Account(self.standing.accounts[who].wallet)))

    def feed_nonsense(self) -> None:
        with pytest.raises(ValueError, match="is not listed"):
            self.venue.feed(sim.SetBook(market=UNKNOWN, bids=(), asks=()))

    def make_key(self, who: int, nonce: int) -> None:
        self.venue.members.create_key(self.standing.accounts[who].address, nonce)

    def drop_key(self, who: int, nonce: int) -> None:
        owner = self.standing.accounts[who].address
        known = self.venue.members.derive_key(owner, nonce)
        if known is not None:
            self.venue.members.delete_key(Member(owner, known.api_key))

    def open_wallet(self, number: int) -> None:
        owner = address_of(bytes([number]) * 20)
        self.venue.members.open_wallet(owner, SignatureType.EOA, owner)

    def facts(self) -> dict[str, Any]:
        """All that a client could ever see of it."""
        owners = [account.address for account in self.standing.accounts]
        members, venue, memory = self.venue.members, self.venue, self.standing.memory
        accounts = [Account(one.wallet) for one in self.standing.accounts]
        return {
            "truth": venue.current().truth(),
            "keys": [members.keys(owner) for owner in owners],
            "credentials": [shown(members.derive_key(owner, nonce)) for owner in owners for nonce in range(3)],
            "wallets": [members.owner(Account(address_of(bytes([number]) * 20))) for number in range(3)],
            "who placed": [venue.key_of(VenueOrderId(f"order {number}")) for number in range(40)],
            "balances": [venue.current().balances(account) for account in accounts],
            "hearts": [venue.current().heartbeat(account) for account in accounts],
            "notices": memory.notices.of(accounts),
            "deeds": [memory.deeds.of(account) for account in accounts],
            "listings": venue.listings,
            "mishaps": (venue.current().mishaps(), venue.current().mishap_hits()),
            "ends": (venue.closed_at, venue.payouts, venue.restrictions, venue.changed_at),
            "next": (self.standing.playback.next_due(), venue.next_due()),
        }


def shown(credentials: Credentials | None) -> tuple[str, str, str] | None:
    return credentials and (credentials.api_key, credentials.secret, credentials.passphrase)


Action: TypeAlias = Callable[[Driven], None]


def does(name: str, *arguments: Any) -> Action:
    return lambda driven: getattr(driven, name)(*arguments)


WHO = st.integers(0, 1)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.integers(0, 9_000).map(lambda length: does("pass_time", length)),
    st.builds(
        lambda *arguments: does("place", *arguments),
        WHO,
        st.sampled_from(Side),
        st.sampled_from(["0.49", "0.50", "0.51", "0.52", "0.53"]),
        st.integers(4, 130),
        st.sampled_from([TimeInForce.GTC, TimeInForce.FOK, TimeInForce.FAK]),
    ),
    st.builds(lambda who, size: does("ask", who, lambda one: split(one, size)), WHO, st.integers(1, 60)),
    st.builds(lambda who: does("ask", who, lambda one: sim.CancelAll(account=one)), WHO),
    st.builds(lambda who: does("ask", who, lambda one: sim.Beat(account=one)), WHO),
    st.builds(lambda who: does("ask", who, ban), WHO),
    st.builds(lambda *arguments: does("drop_notices", *arguments), WHO, st.sampled_from([["1"], ["2", "3"], []])),
    st.builds(
        lambda mishap, chance, skip: does("ask", 0, lambda _: struck(mishap, chance, skip)),
        st.sampled_from(sim.Mishap),
        st.sampled_from([1_000, 500]),
        st.integers(0, 1),
    ),
    st.just(does("ask", 0, lambda _: sim.Restart(down=seconds(2), post_only=seconds(3)))),
    st.builds(lambda *arguments: does("make_key", *arguments), WHO, st.integers(0, 2)),
    st.builds(lambda *arguments: does("drop_key", *arguments), WHO, st.integers(0, 2)),
    st.integers(0, 2).map(lambda number: does("open_wallet", number)),
    st.just(does("feed_nonsense")),
)


def struck(mishap: sim.Mishap, chance: int, skip: int) -> sim.Request:
    return sim.SetMishap(mishap=mishap, times=2, chance=chance, skip=skip, delay=seconds(1))


def split(account: Account, size: int) -> sim.Request:
    return sim.Split(account=account, market=MARKET.id, shares=shares(size))


def ban(account: Account) -> sim.Request:
    return sim.SetRestriction(account=account, restriction=sim.Restriction.CLOSED_ONLY)


def begun(log: Path | None) -> Driven:
    """With an open market, in whose first seconds the actions begin."""
    driven = Driven(stand(blueprint(log)))
    driven.clock.move_to(Instant(MARKET.start - seconds(4)))
    return driven


def test_a_hold_whose_order_is_refused_at_its_end_after_a_kill_leaves_nothing_behind(tmp_path: Path) -> None:
    """Nobody waits for that answer any more."""
    log = tmp_path / "log.jsonl"
    killed = begun(log)
    killed.pass_time(10)
    killed.place(0, Side.BUY, "0.52", 130, TimeInForce.FOK)
    killed.standing.log.close()
    again = Driven(stand(blueprint(log)))
    assert again.venue.key_of(VenueOrderId("order 1")) == "key 0"
    again.settle(Instant(again.clock.now() + seconds(1)))
    assert again.venue.key_of(VenueOrderId("order 1")) == STRANGER
    assert log.read_bytes().count(b'"OrderRejected"') == 1
    assert again.venue.current().truth().accounts[0].reserved == 0


@given(actions=st.lists(ACTIONS, max_size=30), part=st.floats(0, 1))
def test_killed_at_any_byte_it_is_what_its_whole_lines_say_and_goes_on_alike(
    actions: list[Action], part: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        killed = begun(log)
        killed.pass_time(10)
        for act in actions:
            act(killed)
        killed.standing.log.close()
        written = log.read_bytes()
        log.write_bytes(written[: round(part * len(written))])
        whole = [line for line in log.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        inputs = sum(not line.startswith((b'{"kind":"did"', b'{"kind":"header"')) for line in whole)

        again = Driven(stand(blueprint(log)))
        expected = begun(None)
        expected.whole = Whole(max(0, inputs - OPENING))
        expected.venue.keep(expected.whole)
        try:
            expected.pass_time(10)
            for act in actions:
                act(expected)
        except Enough:
            pass
        expected.whole = None
        expected.venue.keep(NoRecord())
        now = max(again.clock.now(), expected.clock.now())
        for until in (now, now + seconds(60)):
            again.settle(Instant(until))
            expected.settle(Instant(until))
            assert again.facts() == expected.facts()
        again.orders = expected.orders = 30
        for driven in (again, expected):
            driven.ask(0, lambda one: sim.Deposit(account=one, amount=usd(1_000)))
            driven.place(0, Side.BUY, "0.53", 7, TimeInForce.FAK)
            driven.pass_time(600_000)
        assert again.facts() == expected.facts()
        again.standing.end()
        assert Driven(stand(blueprint(log))).facts() == expected.facts()
