"""Says what a simulated world is made of besides its recordings."""

from msgspec import Struct

from polystra.app.settings import Settings
from polystra.core.units import Nanos, Usd, seconds, usd
from polystra.sim.latency import Delays, Span
from polystra.sim.rules import Rules


class WorldRules(Struct, frozen=True, kw_only=True):
    """What the world is made of besides the recordings; times in nanoseconds."""

    seed: int
    starting_cash: Usd
    delays: Delays
    taker_hold: Nanos
    resolve_after: Nanos
    exchange: Rules = Rules()

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What no recording says about the venue, beside its markets' facts."""
        return (
            f"closing and resolving: {self.resolve_after // 10**9} s after the end (PROTOCOL.md G)",
            f"taker hold: {self.taker_hold // 10**6} ms (PROTOCOL.md E.4)",
        )


def world_rules(settings: Settings, seed: int) -> WorldRules:
    """The simulated venue that these settings ask for."""
    own = settings.simulation
    return WorldRules(
        seed=seed,
        starting_cash=usd(own.starting_cash_usd),
        delays=Delays(
            submit=_span(own.order_latency_ms),
            answer=_span(own.answer_latency_ms),
            user=_span(own.stream_latency_ms),
            market=_span(own.stream_latency_ms),
        ),
        taker_hold=_milliseconds(own.taker_hold_ms),
        resolve_after=seconds(own.resolve_after_seconds),
        exchange=Rules(pays_makers=own.pays_makers),
    )


def _milliseconds(count: float) -> Nanos:
    return seconds(count / 1_000)


def _span(bounds: tuple[float, float]) -> Span:
    low, high = bounds
    return Span(_milliseconds(low), _milliseconds(high))
