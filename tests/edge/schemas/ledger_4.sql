BEGIN TRANSACTION;
CREATE TABLE adjustments (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	market TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	cause TEXT NOT NULL, 
	before_micro INTEGER NOT NULL, 
	after_micro INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
CREATE TABLE claim_steps (
	id INTEGER NOT NULL, 
	market TEXT NOT NULL, 
	at INTEGER NOT NULL, 
	stage TEXT NOT NULL, 
	pays_micro INTEGER NOT NULL, 
	asked TEXT, 
	why TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(market) REFERENCES settlements (market)
);
CREATE TABLE decisions (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	market TEXT NOT NULL, 
	strategy TEXT NOT NULL, 
	action TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	outcome TEXT, 
	probability_micro INTEGER, 
	price_micro INTEGER, 
	fee_micro INTEGER, 
	edge_micro INTEGER, 
	signals TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "decisions" VALUES(1,1,1,1789992000000000000,'0x0000000000000000000000000000000000000000000000000000000000000001','momentum','enter','edge','UP',610000,530000,NULL,60000,'{"flow":0.25,"spot":null}');
CREATE TABLE denials (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	market TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	limit_name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	allowed TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "denials" VALUES(1,1,3,1789992000000000002,'0x0000000000000000000000000000000000000000000000000000000000000001','UP','orders','3','2');
CREATE TABLE deposits (
	id INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	amount_micro INTEGER NOT NULL, 
	cause TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "deposits" VALUES(1,1789948800000000000,100000000,'paper');
CREATE TABLE fill_stages (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	trade TEXT NOT NULL, 
	order_id INTEGER NOT NULL, 
	stage TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(trade, order_id) REFERENCES fills (trade, order_id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "fill_stages" VALUES(1,1,2,1789992000000000001,'t1',1,'MATCHED');
INSERT INTO "fill_stages" VALUES(2,1,2,1789992000000000001,'t2',1,'CONFIRMED');
INSERT INTO "fill_stages" VALUES(3,1,3,1789992000000000002,'t2',1,'FAILED');
CREATE TABLE fills (
	trade TEXT NOT NULL, 
	order_id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	market TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	side TEXT NOT NULL, 
	price_micro INTEGER NOT NULL, 
	shares_micro INTEGER NOT NULL, 
	liquidity TEXT NOT NULL, 
	fee_micro INTEGER NOT NULL, 
	fee_shares_micro INTEGER NOT NULL, 
	cash_micro INTEGER NOT NULL, 
	late BOOLEAN NOT NULL, 
	PRIMARY KEY (trade, order_id), 
	FOREIGN KEY(order_id) REFERENCES orders (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "fills" VALUES('t1',1,1,2,1789992000000000001,'0x0000000000000000000000000000000000000000000000000000000000000001','UP','BUY',500000,5000000,'taker',0,0,-2500000,0);
INSERT INTO "fills" VALUES('t2',1,1,2,1789992000000000001,'0x0000000000000000000000000000000000000000000000000000000000000001','UP','BUY',500000,1000000,'taker',0,0,-500000,0);
CREATE TABLE markets (
	id TEXT NOT NULL, 
	run INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	slug TEXT NOT NULL, 
	asset TEXT NOT NULL, 
	start_at INTEGER NOT NULL, 
	end_at INTEGER NOT NULL, 
	assumptions TEXT NOT NULL, 
	facts TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "markets" VALUES('0x0000000000000000000000000000000000000000000000000000000000000001',1,1,1789992000000000000,'btc-updown-15m-1','BTC',1789992000000000000,1789992900000000000,'["settlement source"]','{"id":"0x0000000000000000000000000000000000000000000000000000000000000001","slug":"btc-updown-15m-1","series":{"asset":"BTC","length":900000000000},"up_token":"11","down_token":"12","start":1789992000000000000,"end":1789992900000000000,"tick":{"size":10000},"min_shares":5000000,"fees":{"rate":70000,"exponent":1,"rebate_rate":0,"in_shares_on_buys":false},"generation":"clob-v2","settlement":null,"assumptions":["settlement source"]}');
CREATE TABLE memories (
	market TEXT NOT NULL, 
	strategy TEXT NOT NULL, 
	run INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	value BLOB NOT NULL, 
	PRIMARY KEY (market, strategy), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "memories" VALUES('0x0000000000000000000000000000000000000000000000000000000000000001','momentum',1,3,1789992000000000002,X'0001');
CREATE TABLE merge_steps (
	id INTEGER NOT NULL, 
	merge INTEGER NOT NULL, 
	market TEXT NOT NULL, 
	at INTEGER NOT NULL, 
	stage TEXT NOT NULL, 
	pairs_micro INTEGER NOT NULL, 
	asked TEXT, 
	why TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(market) REFERENCES markets (id)
);
INSERT INTO "merge_steps" VALUES(1,1,'0x0000000000000000000000000000000000000000000000000000000000000001',1789992000000000002,'wanted',5000000,NULL,'');
INSERT INTO "merge_steps" VALUES(2,1,'0x0000000000000000000000000000000000000000000000000000000000000001',1789992000000000003,'failed',5000000,NULL,'the node said no');
CREATE TABLE merges (
	merge INTEGER NOT NULL, 
	market TEXT NOT NULL, 
	at INTEGER NOT NULL, 
	pairs_micro INTEGER NOT NULL, 
	PRIMARY KEY (merge), 
	FOREIGN KEY(market) REFERENCES markets (id)
);
CREATE TABLE notes (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	market TEXT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
CREATE TABLE order_steps (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	order_id INTEGER NOT NULL, 
	market TEXT NOT NULL, 
	"before" TEXT NOT NULL, 
	"after" TEXT NOT NULL, 
	cause TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "order_steps" VALUES(1,1,1,1789992000000000000,1,'0x0000000000000000000000000000000000000000000000000000000000000001','','SUBMITTING','');
INSERT INTO "order_steps" VALUES(2,1,2,1789992000000000001,1,'0x0000000000000000000000000000000000000000000000000000000000000001','SUBMITTING','FILLED','');
INSERT INTO "order_steps" VALUES(3,1,3,1789992000000000002,2,'0x0000000000000000000000000000000000000000000000000000000000000001','','SUBMITTING','');
CREATE TABLE orders (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	venue_order TEXT, 
	market TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	side TEXT NOT NULL, 
	purpose TEXT NOT NULL, 
	price_micro INTEGER NOT NULL, 
	shares_micro INTEGER NOT NULL, 
	time_in_force TEXT NOT NULL, 
	post_only BOOLEAN NOT NULL, 
	expires_at INTEGER, 
	decided_at INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id), 
	UNIQUE (venue_order), 
	FOREIGN KEY(market) REFERENCES markets (id)
);
INSERT INTO "orders" VALUES(1,1,1,'0xhash1','0x0000000000000000000000000000000000000000000000000000000000000001','UP','BUY','entry',530000,5620000,'GTC',0,NULL,1789992000000000000);
INSERT INTO "orders" VALUES(2,1,3,'0xhash2','0x0000000000000000000000000000000000000000000000000000000000000001','UP','SELL','target',900000,5000000,'GTC',0,NULL,1789992000000000002);
CREATE TABLE redemptions (
	market TEXT NOT NULL, 
	at INTEGER NOT NULL, 
	amount_micro INTEGER NOT NULL, 
	PRIMARY KEY (market), 
	FOREIGN KEY(market) REFERENCES settlements (market)
);
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	started_at INTEGER NOT NULL, 
	mode TEXT NOT NULL, 
	version TEXT NOT NULL, 
	strategy TEXT NOT NULL, 
	seed INTEGER NOT NULL, 
	settings_digest TEXT NOT NULL, 
	strategy_digest TEXT NOT NULL, 
	calibration_digest TEXT NOT NULL, 
	tape_digest TEXT NOT NULL, 
	journal TEXT NOT NULL, 
	ended_at INTEGER, 
	journal_sha256 TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES(1,1789948800000000000,'paper','0.1.0','momentum',7,'abababababababababababababababababababababababababababababababab','','','','run.journal',NULL,NULL);
CREATE TABLE schema_version (
	number INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	applied_at INTEGER NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "schema_version" VALUES(1,'core tables',1789948800000000000);
INSERT INTO "schema_version" VALUES(2,'views of orders, fills, holdings and cash; indexes for reports',1789948800000000000);
INSERT INTO "schema_version" VALUES(3,'how far each redemption is',1790000000000000000);
INSERT INTO "schema_version" VALUES(4,'how far each merge of pairs is, and what it brought',1790000000000000000);
CREATE TABLE settlements (
	market TEXT NOT NULL, 
	run INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	payout_up_micro INTEGER NOT NULL, 
	up_shares_micro INTEGER NOT NULL, 
	down_shares_micro INTEGER NOT NULL, 
	redeemable_micro INTEGER NOT NULL, 
	pnl_micro INTEGER NOT NULL, 
	PRIMARY KEY (market), 
	FOREIGN KEY(market) REFERENCES markets (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
CREATE TABLE states (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	"before" TEXT NOT NULL, 
	"after" TEXT NOT NULL, 
	who TEXT NOT NULL, 
	why TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
CREATE INDEX orders_by_market ON orders (market);
CREATE INDEX order_steps_by_order ON order_steps (order_id);
CREATE INDEX fills_by_market ON fills (market);
CREATE INDEX fill_stages_by_fill ON fill_stages (order_id, trade);
CREATE INDEX decisions_by_market ON decisions (market);
CREATE INDEX denials_by_market ON denials (market);
CREATE INDEX settlements_by_time ON settlements (at);
CREATE INDEX notes_by_kind ON notes (kind);
CREATE VIEW order_states AS
SELECT o.id AS order_id, (
    SELECT s.after FROM order_steps AS s WHERE s.order_id = o.id ORDER BY s.id DESC LIMIT 1
) AS state
FROM orders AS o;
CREATE VIEW staged_fills AS
SELECT f.trade, f.order_id, f.run, f.seq, f.at, f.market, f.outcome, f.side, f.price_micro, f.shares_micro,
       f.liquidity, f.fee_micro, f.fee_shares_micro, f.cash_micro, f.late, s.stage
FROM fills AS f
JOIN fill_stages AS s ON s.id = (
    SELECT MAX(later.id) FROM fill_stages AS later WHERE later.order_id = f.order_id AND later.trade = f.trade
);
CREATE VIEW live_fills AS SELECT * FROM staged_fills WHERE stage <> 'FAILED';
CREATE INDEX claim_steps_by_market ON claim_steps (market);
CREATE INDEX merge_steps_by_merge ON merge_steps (merge);
CREATE INDEX merges_by_market ON merges (market);
CREATE VIEW positions AS
SELECT market, outcome,
       SUM(bought - sold + adjusted - merged) AS shares_micro,
       SUM(bought) AS bought_micro, SUM(sold) AS sold_micro, SUM(adjusted) AS adjusted_micro,
       SUM(merged) AS merged_micro,
       SUM(paid) AS paid_micro, SUM(received) AS received_micro, SUM(fee) AS fee_micro
FROM (
    SELECT market, outcome, shares_micro - fee_shares_micro AS bought, 0 AS sold, 0 AS adjusted, 0 AS merged,
           -cash_micro AS paid, 0 AS received, fee_micro AS fee
    FROM live_fills WHERE side = 'BUY'
    UNION ALL
    SELECT market, outcome, 0, shares_micro, 0, 0, 0, cash_micro, fee_micro FROM live_fills WHERE side = 'SELL'
    UNION ALL
    SELECT market, outcome, 0, 0, after_micro - before_micro, 0, 0, 0, 0 FROM adjustments
    UNION ALL
    SELECT market, outcome, 0, 0, 0, pairs_micro, 0, 0, 0
    FROM merges, (SELECT 'UP' AS outcome UNION ALL SELECT 'DOWN') AS outcomes
) AS moves
GROUP BY market, outcome;
CREATE VIEW cash AS
SELECT deposited_micro, traded_micro, redeemed_micro, merged_micro,
       deposited_micro + traded_micro + redeemed_micro + merged_micro AS cash_micro
FROM (
    SELECT (SELECT COALESCE(SUM(amount_micro), 0) FROM deposits) AS deposited_micro,
           (SELECT COALESCE(SUM(cash_micro), 0) FROM live_fills) AS traded_micro,
           (SELECT COALESCE(SUM(amount_micro), 0) FROM redemptions) AS redeemed_micro,
           (SELECT COALESCE(SUM(pairs_micro), 0) FROM merges) AS merged_micro
) AS parts;
COMMIT;
