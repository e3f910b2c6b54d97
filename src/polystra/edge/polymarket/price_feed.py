"""Hears the prices that markets settle by, on the venue's price stream (RTDS, `PROTOCOL.md` C.3).

Chainlink's spot price and its average of 60 seconds, of the assets that are traded, each as its source stamped it. The
history that a subscription begins with is passed over: it has no full digits, and Chainlink's is labelled as Binance's,
while a price to beat must be exact. So a trader that connects after a window's start does not know its price to beat.

The stream may fall silent without an end. As the venue answers no PING there, the dialer gives up a silent connection.
"""

from collections import Counter
from collections.abc import Callable, Collection
from decimal import Decimal

import msgspec

from polystra.core.events import AnyEvent, PricePrinted, Stream
from polystra.core.markets import PriceSource
from polystra.core.units import MICRO
from polystra.edge.clock import Time
from polystra.edge.polymarket.dialing import Dialer
from polystra.edge.polymarket.kept_stream import KeptStream
from polystra.edge.polymarket.wire import MILLISECOND, Unreadable, instant_of, read, whole_of

OTHER = "a price nobody asked for"
REFUSED = "subscription refused"
UNREADABLE = "not a price message"

TOPICS = {
    "crypto_prices_chainlink": PriceSource.CHAINLINK_SPOT,
    "crypto_prices_twap_sixty": PriceSource.CHAINLINK_TWAP_60,
}

_WINDOW = 60
_DIGITS = 10**12
"""Units of `full_accuracy_value`, which has 18 decimals, in a millionth."""

_TOP = 10**12
_APART = 1_000
"""The part of a price by which its two forms may differ at most; more, and one has other units than we know."""

_HISTORY = "subscribe"
_UPDATE = "update"


class PriceFeed:
    """Mutable. `skipped` counts by reason what could not be used, `unread` is what the last unreadable one lacked."""

    def __init__(
        self, dialer: Dialer, url: str, *, time: Time, put: Callable[[AnyEvent], None], assets: Collection[str]
    ) -> None:
        self._time = time
        self._put = put
        self._assets = {_symbol(asset): asset for asset in sorted(assets)}
        self._stream = KeptStream(dialer, url, stream=Stream.PRICES, time=time, put=put, speaker=self)
        self._refusal = ""
        self.skipped: Counter[str] = Counter()
        self.unread = ""

    @property
    def connected(self) -> bool:
        return self._stream.connected

    @property
    def trouble(self) -> str:
        """Why there is no connection, or why nothing comes on it; empty when all is well."""
        return self._stream.trouble or self._refusal

    async def wait_connected(self) -> None:
        await self._stream.wait_connected()

    async def run(self) -> None:
        """Until cancelled."""
        await self._stream.run()

    # --- the stream's two sides

    def greeting(self) -> bytes:
        """Filters are texts of JSON without a space: the venue is silent about others."""
        self._refusal = ""
        wanted = [
            {"topic": topic, "type": _UPDATE, "filters": msgspec.json.encode({"symbol": symbol}).decode()}
            for topic in TOPICS
            for symbol in self._assets
        ]
        return msgspec.json.encode({"action": "subscribe", "subscriptions": wanted})

    def hear(self, frame: bytes) -> None:
        try:
            message = read(frame, _message)
            event = self._event(message)
        except Unreadable as error:
            self.skipped[UNREADABLE] += 1
            self.unread = str(error)
            return
        if message.statusCode is not None:
            self.skipped[REFUSED] += 1
            self._refusal = f"the venue refused the subscription: {frame[:200]!r}"
        elif event is not None:
            self._put(event)
        elif message.type != _HISTORY:
            self.skipped[OTHER] += 1

    def _event(self, message: "_Message") -> PricePrinted | None:
        """None for what is no update of a price that was asked for."""
        source = TOPICS.get(message.topic)
        if source is None or message.type != _UPDATE:
            return None
        price = read(message.payload, _price)
        asset = self._assets.get(price.symbol)
        if asset is None:
            return None
        if source is PriceSource.CHAINLINK_TWAP_60 and price.window_s not in (None, _WINDOW):
            raise Unreadable(f"window_s {price.window_s}: the average that settles has {_WINDOW}")
        return PricePrinted(
            at=self._time.now(),
            asset=asset,
            source=source,
            value=_value(price),
            stamped_at=instant_of("timestamp", price.timestamp, MILLISECOND),
        )


def _symbol(asset: str) -> str:
    return f"{asset.lower()}/usd"


def _value(price: "_Price") -> int:
    """Millionths, half to even as recordings have them."""
    rough = _rounded(price.value)
    if not price.full_accuracy_value:
        return rough
    exact = _whole(whole_of("full_accuracy_value", price.full_accuracy_value))
    if abs(exact - rough) * _APART > rough:
        raise Unreadable(f"value {price.value} and full_accuracy_value {price.full_accuracy_value}: not one price")
    return exact


def _rounded(value: Decimal) -> int:
    millionths = int((value * MICRO).to_integral_value()) if value.is_finite() and 0 < value < _TOP else 0
    if not millionths:
        raise Unreadable(f"value {value}: it takes a price of a millionth of a USD or more, below {_TOP}")
    return millionths


def _whole(number: int) -> int:
    millionths, rest = divmod(number, _DIGITS)
    return millionths + (2 * rest > _DIGITS or (2 * rest == _DIGITS and millionths % 2 == 1))


class _Message(msgspec.Struct):
    topic: str = ""
    type: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    statusCode: int | None = None  # noqa: N815 - the venue's spelling


class _Price(msgspec.Struct):
    symbol: str
    timestamp: int
    value: Decimal
    full_accuracy_value: str = ""
    window_s: int | None = None


_message = msgspec.json.Decoder(_Message)
_price = msgspec.json.Decoder(_Price)
