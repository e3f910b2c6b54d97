"""Objects that several example payloads of `PROTOCOL.md` have, as shapes.

Where real recordings say more than PROTOCOL.md, the recording counts (`docs/payloads.md`): which fields a book of the
stream has, and all of `new_market`. Rows of the Data API and of rewards have more fields than PROTOCOL.md names: they
are those of the official client's types. A position that was only split has no moment of its first entry here: 0.
"""

from tests.edge.wire_shapes import Shape, of


def page(*rows: Shape, limit: int = 100, **more: Shape) -> Shape:
    """The CLOB's last page, with exactly these rows."""
    return of("next_cursor:=LTE=", limit=limit, count=len(rows), data=rows, **more)


def numbers(names: str) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), "number")


LEVELS = [of("price:price size:size")]
BOOK = of(
    "market:hash asset_id:token timestamp:ms hash:sha1 "
    "min_order_size:=5 tick_size:=0.01 neg_risk:false last_trade_price:price",
    bids=LEVELS,
    asks=LEVELS,
)
EMPTY_BOOK = BOOK | of("last_trade_price:=", bids=[], asks=[])
FIRST_BOOK = of(
    "event_type:=book market:hash asset_id:token timestamp:ms hash:sha1 tick_size:=0.01 last_trade_price:price",
    bids=LEVELS,
    asks=LEVELS,
)
BOOK_AGAIN = of("event_type:=book market:hash asset_id:token timestamp:ms hash:sha1", bids=LEVELS, asks=LEVELS)

CHANGE = of("asset_id:token price:price size:size hash:sha1 best_bid:bound best_ask:bound")
NEW_MARKET = of(
    "event_type:=new_market id:id question:text market:hash slug:text description:text timestamp:ms condition_id:hash "
    "active:false sports_market_type:= line:= game_start_time:= order_price_min_tick_size:=0.01 group_item_title:= "
    "taker_base_fee:=1000 fees_enabled:true",
    assets_ids=("token", "token"),
    outcomes=("=Up", "=Down"),
    event_message=of("id:id ticker:text slug:text title:text description:text"),
    tags=[],
    clob_token_ids=("token", "token"),
    fee_schedule=of("exponent:=1 rate:=0.07 taker_only:true rebate_rate:=0.2"),
)

# --- markets ----------------------------------------------------------------------------------------------------------

TOKENS = (
    of("token_id:token outcome:=Up price:0.5 winner:false"),
    of("token_id:token outcome:=Down price:0.5 winner:false"),
)
SHORT_MARKET = of(
    "condition_id:hash active:true closed:false archived:false accepting_orders:true",
    rewards=of("min_size:50 max_spread:4.5", rates=[of("asset_address:address rewards_daily_rate:number")]),
    tokens=TOKENS,
)
MARKET = SHORT_MARKET | of(
    "enable_order_book:true accepting_order_timestamp:time minimum_order_size:5 minimum_tick_size:0.01 "
    "question_id:hash question:word description:text market_slug:word end_date_iso:time game_start_time:null "
    "seconds_delay:0 fpmm:text maker_base_fee:1000 taker_base_fee:1000 notifications_enabled:bool neg_risk:false "
    "neg_risk_market_id:= neg_risk_request_id:= icon:text image:text is_50_50_outcome:false",
    tags=[],
)
COMPACT = of(
    "c:hash mos:5 mts:0.01 mbf:1000 tbf:1000 itode:true ao:true aot:time v:=v1",
    t=(of("t:token o:=Up"), of("t:token o:=Down")),
    fd=of("r:0.07 e:1 to:true"),
    r=of("mi:50 ma:4.5 moas:30"),
)
GAMMA_EVENT = of(
    "id:id ticker:word slug:word title:word resolutionSource:word startDate:time endDate:time active:true closed:false "
    "archived:false restricted:true enableOrderBook:true negRisk:false",
    series=[
        of(
            "id:id ticker:word slug:word title:word seriesType:=single recurrence:word active:true closed:false "
            "archived:false"
        )
    ],
    tags=[of("id:id label:word slug:word")],
)
"""Real events also have their series and tags, which the examples leave out."""

GAMMA_MARKET = of(
    "id:id question:word conditionId:hash slug:word resolutionSource:word endDate:time startDate:time active:true "
    "closed:false archived:false restricted:true questionID:hash enableOrderBook:true orderPriceMinTickSize:0.01 "
    "orderMinSize:5 clobTokenIds:list makerBaseFee:1000 takerBaseFee:1000 acceptingOrders:true "
    "acceptingOrdersTimestamp:time negRisk:false eventStartTime:time feesEnabled:true feeType:=crypto_fees_v2 "
    "version:=v1 rewardsMinSize:50 rewardsMaxSpread:4.5 bestBid:number bestAsk:number",
    outcomes='=["Up", "Down"]',
    outcomePrices='=["0.5", "0.5"]',
    feeSchedule=of("exponent:1 rate:0.07 takerOnly:true rebateRate:0.2"),
    clobRewards=[
        of("id:id conditionId:hash assetAddress:address rewardsAmount:number rewardsDailyRate:number")
        | of("startDate:day endDate:day")
    ],
)
MARKET_WITH_EVENT = GAMMA_MARKET | {"events": [GAMMA_EVENT]}
EVENT_WITH_MARKET = GAMMA_EVENT | {"markets": [GAMMA_MARKET]}
_UNTRADED = {key: form for key, form in MARKET_WITH_EVENT.items() if key not in ("bestBid", "bestAsk")}
RESOLVED_MARKET = _UNTRADED | of(
    "closed:true acceptingOrders:false umaResolutionStatus:=resolved closedTime:closed",
    events=[GAMMA_EVENT | of("closed:true")],
    outcomePrices='=["1", "0"]',
)
REWARDS_OF = of("asset_address:address start_date:day end_date:day rate_per_day:number total_rewards:number id:count")
REWARDED = of(
    "condition_id:hash rewards_max_spread:4.5 rewards_min_size:50 native_daily_rate:number total_daily_rate:number",
    rewards_config=[REWARDS_OF],
)
REWARDED_MARKET = of(
    "condition_id:hash question:word market_slug:word event_slug:word image:text rewards_max_spread:4.5 "
    "rewards_min_size:50 market_competitiveness:number",
    tokens=TOKENS,
    rewards_config=[REWARDS_OF],
)
EARNED = of("asset_address:address asset_rate:=1 earnings:size")

# --- orders and trades ------------------------------------------------------------------------------------------------

KEY = of("apiKey:uuid secret:secret passphrase:hex")
CANCELLED = of("", canceled=["hash"], not_canceled={})
ACCEPTED = of("success:true errorMsg:= orderID:hash status:=live makingAmount:= takingAmount:=")
MATCHED = ACCEPTED | of("status:=matched makingAmount:=5.1 takingAmount:=10", tradeIDs=["uuid"])
ORDER = of(
    "id:hash status:=LIVE owner:uuid maker_address:address market:hash asset_id:token side:=BUY|=SELL "
    "original_size:size size_matched:size price:price outcome:=Up|=Down expiration:units order_type:=GTC|=GTD "
    "created_at:unix",
    associate_trades=[],
)
MAKER_ORDER = of(
    "order_id:hash owner:uuid maker_address:address matched_amount:size price:price fee_rate_bps:=0 asset_id:token "
    "outcome:=Up|=Down side:=BUY|=SELL"
)
TRADE = of(
    "id:uuid taker_order_id:hash market:hash asset_id:token side:=BUY|=SELL size:size fee_rate_bps:=0 price:price "
    "status:=TRADE_STATUS_CONFIRMED match_time:s last_update:s outcome:=Up|=Down bucket_index:count owner:uuid "
    "maker_address:address transaction_hash:hash trader_side:=TAKER",
    maker_orders=[MAKER_ORDER],
)
ORDER_EVENT = of(
    "event_type:=order id:hash owner:uuid order_owner:uuid market:hash asset_id:token side:=BUY|=SELL "
    "original_size:size size_matched:size price:price associate_trades:null outcome:=Up|=Down type:=PLACEMENT "
    "created_at:s expiration:units order_type:=GTC|=GTD|=FOK|=FAK status:=LIVE maker_address:address timestamp:ms"
)
TRADE_EVENT = TRADE | of("event_type:=trade type:=TRADE trade_owner:uuid timestamp:ms status:=MATCHED")
TRADE_EVENT |= of("transaction_hash:=")

# --- the Data API -----------------------------------------------------------------------------------------------------

LAST_PAGE = of("has_more:false next_cursor:null")
ROW_V2 = of("title:word slug:word icon:text event_slug:word outcome:=Up|=Down outcome_index:count")
POSITION_V2 = (
    ROW_V2
    | of(
        "proxy_wallet:address token_id:token condition_id:hash status:=OPEN redeemable:bool mergeable:bool "
        "negative_risk:bool archived:bool verified:bool opposite_outcome:=Up|=Down opposite_token_id:token "
        "end_date:day first_entry_at:count last_event_at:count"
    )
    | numbers("current_size avg_price entry_cost_usdc entry_fees_usdc total_cost_usdc current_price current_value")
    | numbers("total_size realized_pnl unrealized_pnl total_pnl percent_pnl percent_realized_pnl")
)
TRADE_V2 = ROW_V2 | of(
    "proxy_wallet:address token_id:token condition_id:hash side:=BUY|=SELL size:number price:number timestamp:unix "
    "transaction_hash:hash"
)
ROW_V1 = of("title:word slug:word icon:text eventSlug:word outcome:=Up|=Down outcomeIndex:count")
TRADE_V1 = ROW_V1 | of(
    "proxyWallet:address side:=BUY|=SELL asset:token conditionId:hash size:number price:number timestamp:unix "
    "transactionHash:hash name:text pseudonym:text bio:text profileImage:text profileImageOptimized:text"
)
POSITION_V1 = (
    ROW_V1
    | of(
        "proxyWallet:address asset:token conditionId:hash redeemable:bool mergeable:bool eventId:id "
        "oppositeOutcome:=Up|=Down oppositeAsset:token endDate:day negativeRisk:false"
    )
    | numbers("size avgPrice initialValue currentValue cashPnl percentPnl totalBought realizedPnl percentRealizedPnl")
    | numbers("curPrice")
)
NOTIFIED = of(
    "asset_id:token market:hash order_id:hash side:=BUY|=SELL type:=GTC price:price original_size:size "
    "matched_size:size remaining_size:size outcome:=Up|=Down outcome_index:count question:word market_slug:word "
    "icon:text image:text eventSlug:word seriesSlug:text transaction_hash:text trade_id:text"
)

# --- relayer and prices -----------------------------------------------------------------------------------------------

RELAYED = of("transactionID:uuid transactionHash:= state:=STATE_NEW")
CONFIRMED = of("transactionID:uuid transactionHash:hash state:=STATE_CONFIRMED from:address")
PRICE_UPDATE = of(
    "connection_id:word topic:=crypto_prices type:=update timestamp:unix_ms",
    payload=of("symbol:=btcusdt timestamp:unix_ms value:number full_accuracy_value:accuracy"),
)
CHAINLINK = of("symbol:=btc/usd timestamp:unix_ms value:number full_accuracy_value:accuracy18")
BACKFILL = of(
    "topic:=crypto_prices type:=subscribe timestamp:unix_ms",
    payload=of("symbol:=btc/usd", data=[of("timestamp:unix_ms value:number")]),
)
NUMBERED = of(
    "v:1 channel:=price.crypto.twap seq:1 ts:unix_ms snapshot:false dropped:0",
    payload=of(
        "symbol:=btcusd source:=chainlink window_seconds:60 value:number full_accuracy_value:size timestamp:unix_ms"
    ),
)
