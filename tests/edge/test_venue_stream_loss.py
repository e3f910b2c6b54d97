"""What a lost market stream does, and what silence on one that stands means."""

from polystra.core.events import BookSnapshot, Stream, StreamRestored
from polystra.core.ids import TokenId
from polystra.core.units import Instant, seconds
from tests.edge.exchange_cases import CONDITION, DOWN, START, UP
from tests.edge.feed_cases import MARKET, in_loop, running_feed, settle
from tests.edge.market_feed_cases import LOST, OTHER, STAMP, Case, book, change, first_frame, subscription, trade

# --- loss and return -------------------------------------------------------------------------------------------------


@in_loop
async def test_a_lost_stream_is_told_once_and_its_return_after_the_subscription() -> None:
    case = Case()
    case.feed.follow(MARKET)
    async with running_feed(case.feed):
        case.lose()
        case.lose()
        case.feed.follow(OTHER)
        assert case.told.take() == [LOST]
        assert (case.feed.connected, case.feed.trouble) == (False, "closed by the venue: 1001")
        assert case.say([book()]) == []
        await case.time.go(0.5)
        assert case.told.take() == [StreamRestored(at=Instant(START + seconds(0.5)), stream=Stream.MARKET)]
        assert case.sent == [first_frame(UP, DOWN, "21", "22")]
        assert (case.feed.connected, case.feed.trouble) == (True, "")
        assert [type(event) for event in case.say([book(), book(DOWN)])] == [BookSnapshot]


@in_loop
async def test_a_venue_that_is_not_there_is_asked_ever_more_seldom() -> None:
    case = Case()
    case.dialer.refuse = "nobody there"
    async with running_feed(case.feed):
        pauses = []
        for _ in range(9):
            await settle()
            pause = case.time.pending()
            assert pause is not None
            pauses.append(pause / 1e9)
            await case.time.go(pause / 1e9)
        assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
        assert case.told.take() == [LOST]
        assert case.feed.trouble == "nobody there"
        case.dialer.refuse = ""
        await case.time.go(30)
        assert [type(event) for event in case.told.take()] == [StreamRestored]


@in_loop
async def test_pauses_stay_long_until_a_connection_has_lasted() -> None:
    case = Case()
    async with running_feed(case.feed):
        pauses = []
        for lasts in (0, 1, 29, 30, 0):
            await case.time.go(lasts)
            case.lose()
            await settle()
            pause = case.time.pending()
            assert pause is not None
            pauses.append(pause / 1e9)
            await case.time.go(pause / 1e9)
        assert pauses == [0.5, 1, 2, 0.5, 1]


@in_loop
async def test_a_connection_that_is_lost_before_it_is_ours_is_no_return() -> None:
    case = Case()
    case.dialer.doomed = "closed by the venue: 1013"
    async with running_feed(case.feed):
        assert case.told.take() == [LOST]
        assert case.sent == []
        case.dialer.doomed = ""
        await case.time.go(0.5)
        assert [type(event) for event in case.told.take()] == [StreamRestored]


@in_loop
async def test_nothing_is_told_by_a_connection_that_was_given_up() -> None:
    case = Case()
    case.feed.follow(MARKET)
    async with running_feed(case.feed):
        pass
    case.lose()
    assert case.say([book()]) == []


# --- silence ---------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_quiet_market_whose_book_is_as_told_is_asked_about_every_five_seconds() -> None:
    case = Case()
    case.feed.follow(MARKET)
    async with running_feed(case.feed):
        case.say([book(), book(DOWN)])
        case.newest = START
        await case.time.go(4.9)
        assert case.asked == []
        await case.time.go(0.1)
        assert case.asked == [UP]
        await case.time.go(10)
        assert case.asked == [UP] * 3
        case.newest = None
        await case.time.go(10)
        assert (case.asked, case.feed.resyncs, case.sent) == ([UP] * 5, 0, [first_frame(UP, DOWN)])


@in_loop
async def test_frames_put_the_question_off_and_a_market_alone_can_be_silent() -> None:
    case = Case()
    case.feed.follow(MARKET)
    case.feed.follow(OTHER)
    async with running_feed(case.feed):
        for frame in ([book(DOWN)], change(), trade(), trade(DOWN)):
            await case.time.go(3)
            case.say(frame)
        assert case.asked == [TokenId("21")] * 2
        await case.time.go(5)
        assert case.asked.count(UP) == 1


@in_loop
async def test_news_that_does_not_come_makes_the_subscription_anew() -> None:
    case = Case()
    case.feed.follow(MARKET)
    async with running_feed(case.feed):
        case.say([book(), book(DOWN)])
        case.newest = Instant(START + seconds(3))
        await case.time.go(6.9)
        assert case.feed.resyncs == 0
        await case.time.go(0.1)
        assert case.feed.resyncs == 1
        assert case.sent[1:] == [subscription("unsubscribe", UP, DOWN), subscription("subscribe", UP, DOWN)]
        assert case.told.take() == []
        case.say([book(at=STAMP + 3_000)])
        await case.time.go(20)
        assert case.feed.resyncs == 1


@in_loop
async def test_news_that_comes_late_needs_no_new_subscription_and_older_news_does() -> None:
    for stamp, resyncs in ((STAMP + 3_000, 0), (STAMP + 2_999, 1)):
        case = Case()
        case.feed.follow(MARKET)
        async with running_feed(case.feed):
            case.say([book(at=STAMP - 50)])
            case.newest = Instant(START + seconds(3))
            await case.time.go(6)
            case.say(change(at=stamp))
            await case.time.go(1)
            assert case.feed.resyncs == resyncs


@in_loop
async def test_a_subscription_that_was_never_answered_is_made_anew() -> None:
    case = Case()
    async with running_feed(case.feed):
        case.feed.follow(MARKET)
        case.newest = START
        await case.time.go(7)
        assert case.feed.resyncs == 1


@in_loop
async def test_silence_means_nothing_without_a_connection_or_a_follower() -> None:
    case = Case()
    case.newest = Instant(START + seconds(3))
    async with running_feed(case.feed):
        await case.time.go(60)
        case.feed.follow(MARKET)
        case.dialer.refuse = "nobody there"
        case.lose()
        await case.time.go(60)
        assert case.asked == []
        case.dialer.refuse = ""
        while not case.feed.connected:
            await case.time.go(1)
        await case.time.go(3.9)
        assert case.asked == []
        await case.time.go(1.1)
        assert case.asked == [UP]
        case.feed.unfollow(CONDITION)
        await case.time.go(60)
        assert (case.asked, case.feed.resyncs) == ([UP], 0)
