"""What is on its way in virtual time: when it arrives, and in which order when at one moment."""

from functools import partial

from polystra.app.world_ways import Ways
from polystra.core.units import Instant, seconds
from polystra.sim.latency import NO_DELAY, Delays, Latency, fixed

APART = Delays(submit=fixed(seconds(1)), answer=fixed(seconds(2)), user=fixed(seconds(3)), market=fixed(seconds(4)))


class Road:
    """Ways on which names travel; `come` says what arrived by now, a list for each arrival."""

    def __init__(self, delays: Delays = NO_DELAY) -> None:
        self.ways = Ways(Instant(0), Latency(delays, 1))
        self.heard: list[str] = []

    def come(self) -> list[tuple[int, list[str]]]:
        arrivals = []
        while (due := self.ways.next_due) is not None:
            self.ways.clock.move_to(due)
            self.heard = []
            self.ways.arrive()
            arrivals.append((due // 10**9, self.heard))
        return arrivals

    def say(self, name: str) -> None:
        self.heard.append(name)

    def answer(self, question: str, answer: str) -> str:
        self.say(question)
        return answer


def test_each_way_has_its_own_delay_and_an_answer_leaves_when_the_question_has_come() -> None:
    road = Road(APART)
    road.ways.market(Instant(0), lambda: road.say("book"))
    road.ways.user(Instant(0), lambda: road.say("fill"))
    road.ways.request(lambda: road.say("order"))
    road.ways.ask(lambda: road.answer("question", "cash"), road.say)
    assert road.come() == [(1, ["order"]), (1, ["question"]), (3, ["cash"]), (3, ["fill"]), (4, ["book"])]


def test_a_price_is_as_late_as_a_book_of_the_same_moment() -> None:
    ways = Ways(Instant(0), Latency(Delays(), 1))
    for moment in range(0, 10**10, 10**8):
        ways.prices(Instant(moment), lambda: None)
        price = ways.next_due
        ways.arrive()
        ways.market(Instant(moment), lambda: None)
        assert ways.next_due == price
        ways.arrive()


def test_what_arrives_at_one_moment_comes_by_rank_and_then_as_it_left() -> None:
    road = Road()
    road.ways.prices(Instant(0), lambda: road.say("price"))
    road.ways.market(Instant(0), lambda: road.say("book"))
    road.ways.user(Instant(0), lambda: road.say("fill"))
    road.ways.answer(Instant(0), lambda: road.say("answer"))
    road.ways.request(lambda: road.say("second"))
    road.ways.request(lambda: road.say("third"))
    road.ways.subscribe(lambda: road.say("first"))
    named = [name for _, names in road.come() for name in names]
    assert named == ["first", "second", "third", "answer", "fill", "book", "price"]


def test_what_one_stream_says_at_one_moment_comes_together_and_no_two_requests_do() -> None:
    """The inbox merges book changes that come together, so it matters which do."""
    road = Road()
    for name in ("one", "two"):
        road.ways.request(partial(road.say, f"request {name}"))
        road.ways.user(Instant(0), partial(road.say, f"user {name}"))
        road.ways.market(Instant(0), partial(road.say, f"market {name}"))
        road.ways.prices(Instant(0), partial(road.say, f"price {name}"))
    road.ways.market(Instant(seconds(1)), lambda: road.say("market later"))
    assert road.come() == [
        (0, ["request one"]),
        (0, ["request two"]),
        (0, ["user one", "user two"]),
        (0, ["market one", "market two"]),
        (0, ["price one", "price two"]),
        (1, ["market later"]),
    ]


def test_an_answer_tells_what_was_so_when_the_question_arrived() -> None:
    road, there = Road(APART), ["old"]
    road.ways.ask(lambda: there[0], road.say)
    road.ways.clock.move_to(Instant(seconds(1)))
    road.ways.arrive()
    there[0] = "new"
    assert road.come() == [(3, ["old"])]


def test_a_clock_that_stands_goes_on_and_never_back() -> None:
    clock = Road().ways.clock
    clock.move_to(Instant(5))
    clock.move_to(Instant(3))
    assert clock.now() == 5
