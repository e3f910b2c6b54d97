"""Hears of our own orders, and of all trades of the account, on the user stream (`PROTOCOL.md` C.2).

The first message shows the API key. The venue answers nothing when it is good and closes the connection when it is
not; no list of markets is sent with it, as an empty one would suppress the trades.
"""

from collections import Counter
from collections.abc import Callable

import msgspec

from polystra.core.events import AnyEvent, Stream
from polystra.edge.clock import Time
from polystra.edge.polymarket.auth import Credentials
from polystra.edge.polymarket.dialing import Dialer
from polystra.edge.polymarket.kept_stream import KeptStream
from polystra.edge.polymarket.user_frames import Names, objects, outside_fills, user_events
from polystra.edge.polymarket.wire import Fill, Unreadable

UNKNOWN_ORDER = "an order that is not ours"
UNREADABLE = "not a user message"


class UserFeed:
    """Mutable. `skipped` counts by reason what could not be used, `unread` is what the last unreadable one lacked.
    `outside` hears of trades that the wallet `account` made by orders that are not ours."""

    def __init__(  # noqa: PLR0913 - whose stream it is, and who hears of what
        self,
        dialer: Dialer,
        url: str,
        *,
        credentials: Credentials,
        time: Time,
        put: Callable[[AnyEvent], None],
        names: Names,
        account: str = "",
        outside: Callable[[Fill], None] = lambda _: None,
    ) -> None:
        self._credentials = credentials
        self._time = time
        self._put = put
        self._names = names
        self._account = account
        self._outside = outside
        self._stream = KeptStream(dialer, url, stream=Stream.USER, time=time, put=put, speaker=self)
        self.skipped: Counter[str] = Counter()
        self.unread = ""

    @property
    def connected(self) -> bool:
        """Whether there is a connection that has shown the API key; that it is good proves itself by staying."""
        return self._stream.connected

    @property
    def trouble(self) -> str:
        """Why there is no connection; empty when there is one."""
        return self._stream.trouble

    async def wait_connected(self) -> None:
        await self._stream.wait_connected()

    async def run(self) -> None:
        """Until cancelled."""
        await self._stream.run()

    # --- the stream's two sides

    def greeting(self) -> bytes:
        shown = self._credentials
        auth = {"apiKey": shown.api_key, "secret": shown.secret, "passphrase": shown.passphrase}
        return msgspec.json.encode({"auth": auth, "type": "user"})

    def hear(self, frame: bytes) -> None:
        """One frame: an object, or an array of them."""
        try:
            parts = objects(frame)
        except Unreadable as error:
            self._skip(error)
            return
        for part in parts:
            try:
                events = user_events(part, self._names, self._time.now())
                fills = outside_fills(part, self._names, api_key=self._credentials.api_key, account=self._account)
            except Unreadable as error:
                self._skip(error)
                continue
            if not events and not fills:
                self.skipped[UNKNOWN_ORDER] += 1
            for event in events:
                self._put(event)
            for fill in fills:
                self._outside(fill)

    def _skip(self, why: Unreadable) -> None:
        self.skipped[UNREADABLE] += 1
        self.unread = str(why)
