"""The relayer (`PROTOCOL.md` B.10): makes deposit wallets and has them run batches of calls that their owner signed.

A batch is done whole or not at all, at the moment it is submitted; that it was mined and confirmed is told later, by
the venue's clock. One that would be refused fails, and does not take its nonce. Of keys the relayer wants to see one,
and believes it. Wallets of other kinds, transfers, and what became of a batch before a restart are not here.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Sequence

import msgspec
from aiohttp import web
from msgspec import Struct

from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, Price, Shares, cost_of
from polystra.edge.polymarket.addresses import Address, InvalidAddress, address
from polystra.edge.polymarket.contracts import DEPOSIT_WALLET_FACTORY
from polystra.edge.polymarket.keys import signer_address
from polystra.edge.polymarket.wallet import SignatureType
from polystra.edge.polymarket.wallet_batches import Call, batch_digest
from polystra.exchange.chain_calls import Deed, Reverted, deed_of
from polystra.exchange.deposit_wallets import deposit_wallet_of
from polystra.exchange.members import SpenderApproved
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import UNREADABLE, Json, seconds_of
from polystra.sim import messages as sim
from polystra.sim.records import Account

MOST_SUBMITS = 25
"""Of one owner in a minute."""

KEPT = 10_000
"""Newest transactions that are remembered."""

STAGES = ((4, "STATE_CONFIRMED"), (2, "STATE_MINED"), (1, "STATE_EXECUTED"), (0, "STATE_NEW"))
"""Seconds after which a transaction is there."""

FAILED = "STATE_FAILED"

_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND
_CASH = "cash"
_KEYS = ("RELAYER_API_KEY", "POLY_BUILDER_API_KEY")


class Transaction(Struct, frozen=True, kw_only=True):
    """Something that was submitted; `error` says why it failed, and is empty if it did not."""

    id: str
    owner: Address
    at: Instant
    error: str = ""

    @property
    def hash(self) -> str:
        return f"0x{hashlib.sha256(self.id.encode()).hexdigest()}"

    def state(self, now: Instant) -> str:
        passed = (now - self.at) // _SECOND
        if self.error and passed:
            return FAILED
        return next(state for after, state in STAGES if passed >= after)


class Relayer:
    """Its routes stand below a prefix of their own. Mutable."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._known: dict[str, Transaction] = {}
        self._submitted = 0
        self._recent: dict[Address, deque[Instant]] = {}

    def routes(self) -> Routes:
        return [
            web.get("/deployed", self.deployed),
            web.get("/relay-payload", self.parameters),
            web.get("/v1/account/transactions/params", self.parameters),
            web.get("/v1/account/transactions/{id}", self.transaction),
            web.get("/transaction", self.transactions),
            web.post("/submit", self.submit),
        ]

    # --- what is

    async def deployed(self, request: web.Request) -> web.Response:
        return reply({"deployed": self._venue.members.is_wallet(_address(request.query.get("address", "")))})

    async def parameters(self, request: web.Request) -> web.Response:
        """The relayer's own address here is the factory's."""
        owner = _address(request.query.get("address", ""))
        return reply({"address": DEPOSIT_WALLET_FACTORY, "nonce": str(self._venue.members.nonce(owner))})

    async def transaction(self, request: web.Request) -> web.Response:
        one = self._known.get(request.match_info["id"])
        if one is None:
            raise Refused(404, "transaction not found")
        state = one.state(self._venue.now())
        form: Json = {
            "transaction_id": one.id,
            "transaction_hash": "" if state in ("STATE_NEW", FAILED) else one.hash,
            "state": state,
            "from": one.owner,
        }
        return reply({**form, "error_msg": one.error} if state == FAILED else form)

    async def transactions(self, request: web.Request) -> web.Response:
        """The older form: a list of one, or empty."""
        one, now = self._known.get(request.query.get("id", "")), self._venue.now()
        return reply([] if one is None else [{**_told(one, now), "from": one.owner}])

    def settled(self, transaction_hash: str) -> Transaction | None:
        """The transaction of a hash, once it was mined."""
        now = self._venue.now()
        found = (one for one in self._known.values() if one.hash == transaction_hash)
        return next((one for one in found if one.state(now) in ("STATE_MINED", "STATE_CONFIRMED")), None)

    # --- what is asked

    async def submit(self, request: web.Request) -> web.Response:
        if not any(request.headers.get(name) for name in _KEYS):
            raise Refused(401, "invalid authorization")
        try:
            asked = _submitted(await request.read())
        except UNREADABLE:
            raise Refused(400, "Invalid payload") from None
        owner, now = _address(asked.owner), self._venue.advance()
        if asked.type not in ("WALLET", "WALLET-CREATE"):
            raise Refused(400, f"type {asked.type[:20]}: only WALLET and WALLET-CREATE are relayed here")
        if _address(asked.to) != DEPOSIT_WALLET_FACTORY:
            raise Refused(400, f"to {asked.to}: want the factory of deposit wallets, {DEPOSIT_WALLET_FACTORY}")
        self._count(owner, now)
        error = self._create(owner) if asked.type == "WALLET-CREATE" else self._run(owner, asked, now)
        return reply(_told(self._remember(owner, now, error), now))

    def _count(self, owner: Address, now: Instant) -> None:
        recent = self._recent.setdefault(owner, deque(maxlen=MOST_SUBMITS))
        if len(recent) == MOST_SUBMITS and now - recent[0] < _MINUTE:
            raise Refused(429, "Too Many Requests")
        recent.append(now)

    def _remember(self, owner: Address, now: Instant, error: str) -> Transaction:
        self._submitted += 1
        drawn = hashlib.sha256(f"relayed {owner} {now} {self._submitted}".encode()).hexdigest()
        name = f"{drawn[:8]}-{drawn[8:12]}-{drawn[12:16]}-{drawn[16:20]}-{drawn[20:32]}"
        one = self._known[name] = Transaction(id=name, owner=owner, at=now, error=error)
        if len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        return one

    def _create(self, owner: Address) -> str:
        wallet = deposit_wallet_of(owner)
        try:
            self._venue.members.open_wallet(owner, SignatureType.POLY_1271, wallet, approved=False)
        except ValueError as error:
            return str(error)
        return ""

    # --- batches

    def _run(self, owner: Address, asked: "_Submitted", now: Instant) -> str:
        """Why it fails; empty when all was done. Raises `Refused` for a batch that the owner did not sign so."""
        account, calls = self._signed(owner, asked, now)
        try:
            deeds = [deed_of(self._venue, account, call) for call in calls]
            self._check(account, deeds)
        except Reverted as reverted:
            return str(reverted)
        self._venue.members.relay(owner)
        for deed in deeds:
            if isinstance(deed, SpenderApproved):
                self._venue.members.approve(deed)
            else:
                answer = self._venue.ask(deed)
                assert isinstance(answer, sim.CashMoved), answer
        return ""

    def _signed(self, owner: Address, asked: "_Submitted", now: Instant) -> tuple[Account, list[Call]]:
        batch, due = asked.batch, self._venue.members.nonce(owner)
        account = self._venue.members.account(owner, SignatureType.POLY_1271)
        if batch is None or account is None or Account(_address(batch.wallet)) != account:
            raise Refused(400, "no deposit wallet found for owner")
        nonce, deadline = _whole(asked.nonce, "nonce"), _whole(batch.deadline, "deadline")
        if nonce != due:
            raise Refused(400, f"batch nonce {nonce} does not match on-chain nonce {due}")
        if deadline < seconds_of(now):
            raise Refused(400, f"deadline {deadline} is over: it is {seconds_of(now)}")
        try:
            calls = [Call(_address(c.target), _whole(c.value, "value"), _bytes(c.data)) for c in batch.calls]
            hashed = batch_digest(Address(account), calls, nonce=nonce, deadline=deadline)
            signer = signer_address(_bytes(asked.signature), hashed)
        except OverflowError:
            raise Refused(400, "Invalid payload") from None
        if not calls or signer != owner:
            raise Refused(400, "invalid signature")
        return account, calls

    def _check(self, account: Account, deeds: Sequence[Deed]) -> None:
        """Does the batch on paper; raises `Reverted` where the exchange would refuse a part of it."""
        free = self._free(account)
        for deed in deeds:
            if isinstance(deed, sim.Redeem):
                self._redeem_on_paper(free, deed)
            elif not isinstance(deed, SpenderApproved):
                tokens = [self._venue.listings[deed.market].facts.token(outcome) for outcome in Outcome]
                pairs = deed.shares if isinstance(deed, sim.Split) else -deed.shares
                free[_CASH] -= pairs
                free.update(dict.fromkeys(tokens, pairs))
                if not pairs or min(free[_CASH], *(free[token] for token in tokens)) < 0:
                    raise Reverted(f"execution reverted: {account} has not enough for {deed.shares} pairs")

    def _redeem_on_paper(self, free: Counter[str], deed: sim.Redeem) -> None:
        payout = self._venue.payouts.get(deed.market)
        if payout is None:
            raise Reverted(f"execution reverted: market {deed.market} is not resolved")
        for outcome in Outcome:
            token = self._venue.listings[deed.market].facts.token(outcome)
            pays = Price(payout if outcome is Outcome.UP else MICRO - payout)
            free[_CASH] += cost_of(pays, Shares(free.pop(token, 0)))

    def _free(self, account: Account) -> Counter[str]:
        """Settled and not on offer, of cash and of each token."""
        found: Counter[str] = Counter()
        for known in self._venue.current().truth().accounts:
            if known.account == account:
                found[_CASH] = known.settled - known.reserved
                found.update({held.token: held.settled - held.reserved for held in known.holdings})
        return found


def _told(one: Transaction, now: Instant) -> Json:
    state = one.state(now)
    shown = "" if state in ("STATE_NEW", FAILED) else one.hash
    return {"transactionID": one.id, "transactionHash": shown, "state": state}


def _address(text: str) -> Address:
    try:
        return address(text)
    except InvalidAddress:
        raise Refused(400, "invalid address") from None


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 79):
        raise Refused(400, f"{name}: give a whole number, not {text[:20]!r}")
    return int(text)


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise Refused(400, "Invalid payload") from None


class _Call(Struct):
    target: str
    value: str
    data: str


class _Batch(Struct):
    wallet: str = msgspec.field(name="depositWallet")
    deadline: str
    calls: list[_Call]


class _Submitted(Struct):
    type: str
    owner: str = msgspec.field(name="from")
    to: str
    nonce: str = ""
    signature: str = ""
    batch: _Batch | None = msgspec.field(name="depositWalletParams", default=None)


_submitted = msgspec.json.Decoder(_Submitted).decode
