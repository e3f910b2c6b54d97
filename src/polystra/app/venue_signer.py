"""Makes placements ready: the hash that will be the venue's id, the signature, and the body to post."""

from collections.abc import Callable, Mapping

from polystra.app.outbox import CannotSign
from polystra.core.commands import PlaceOrder
from polystra.core.errors import NotSupported
from polystra.core.ids import MarketId, OrderId
from polystra.core.markets import Market
from polystra.edge.clock import Clock
from polystra.edge.polymarket.contracts import exchange_of
from polystra.edge.polymarket.order_body import order_body
from polystra.edge.polymarket.signing import InvalidOrder, OrderSigner
from polystra.edge.polymarket.validation import TODAY, OrderRules, Present, faults_of
from polystra.edge.polymarket.wallet import Wallet
from polystra.edge.ready import Ready


class VenueSigner:
    """Signs what one wallet asks for, unless the venue would refuse it. `markets` are those that were discovered, each
    on its present grid; `owner` is the API key that posts; `salt` makes each order another one, also when all else
    is equal."""

    def __init__(
        self,
        wallet: Wallet,
        *,
        markets: Mapping[MarketId, Market],
        clock: Clock,
        owner: str,
        salt: Callable[[OrderId], int],
        rules: OrderRules = TODAY,
    ) -> None:
        self._rules = rules
        self._markets = markets
        self._clock = clock
        self._owner = owner
        self._order = OrderId(0)
        self._signer = OrderSigner(wallet, draw_salt=lambda: salt(self._order))

    def sign(self, command: PlaceOrder) -> Ready:
        terms, market = command.terms, self._markets.get(command.terms.market)
        if market is None:
            raise CannotSign(f"o{command.order}: market {terms.market} was never discovered, its contracts are unknown")
        self._order = command.order
        faults = faults_of(terms, market, present=Present(tick=market.tick), now=self._clock.now(), rules=self._rules)
        if faults:
            raise CannotSign(f"o{command.order}: {'; '.join(faults)}")
        try:
            signed = self._signer.sign(
                terms,
                token=market.token(terms.outcome),
                exchange=exchange_of(market.generation, neg_risk=False),
                at=self._clock.now(),
            )
            body = order_body(
                signed,
                owner=self._owner,
                time_in_force=terms.time_in_force,
                expires_at=terms.expires_at,
                post_only=terms.post_only,
            )
        except (InvalidOrder, NotSupported) as error:
            raise CannotSign(f"o{command.order}: {error}") from None
        return Ready(command=command, venue_order=signed.id, body=body)
