CREATE DATABASE IF NOT EXISTS `ctr`;

CREATE TABLE IF NOT EXISTS `ctr`.ctr_schema
(
  kind String,
  name String,
  version UInt32,
  writers_from UInt32,
  detail String,
  until DateTime64(3, 'UTC'),
  at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (kind, name);

CREATE TABLE IF NOT EXISTS `ctr`.ctr_results
(
  tenant String,
  product_id String,
  window_start DateTime64(3, 'UTC'),
  window_end DateTime64(3, 'UTC'),
  task UInt32,
  impressions UInt64,
  clicks UInt64,
  ctr Float64,
  version UInt64,
  emitted_at DateTime64(3, 'UTC'),
  inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
  `window` LowCardinality(String),
  INDEX inserted_at_range inserted_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMMDD(window_start)
PRIMARY KEY (tenant, product_id, window_start, window_end, task)
ORDER BY (tenant, product_id, window_start, window_end, task, window);

CREATE TABLE IF NOT EXISTS `ctr`.ctr_recent
(
  tenant String,
  product_id String,
  window_start DateTime64(3, 'UTC'),
  window_end DateTime64(3, 'UTC'),
  task UInt32,
  `window` LowCardinality(String),
  impressions UInt64,
  clicks UInt64,
  version UInt64,
  inserted_at DateTime64(3, 'UTC'),
  INDEX inserted_at_range inserted_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMMDD(window_start)
PRIMARY KEY (tenant, window, window_start, product_id)
ORDER BY (tenant, window, window_start, product_id, window_end, task)
TTL toDateTime(least(greatest(toInt64(greatest(inserted_at, window_end)) + 172800, 1), 4294967295))
SETTINGS ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS `ctr`.ctr_recent_feed TO `ctr`.ctr_recent AS
SELECT tenant, product_id, window_start, window_end, task, window, impressions, clicks, version, inserted_at FROM `ctr`.ctr_results;

CREATE TABLE IF NOT EXISTS `ctr`.ctr_emissions
(
  tenant String,
  product_id String,
  window_start DateTime64(3, 'UTC'),
  window_end DateTime64(3, 'UTC'),
  task UInt32,
  `window` LowCardinality(String),
  impressions UInt64,
  clicks UInt64,
  version UInt64,
  emitted_at DateTime64(3, 'UTC'),
  earliness UInt64 DEFAULT bitNot(toUInt64(toUnixTimestamp64Milli(emitted_at)))
)
ENGINE = ReplacingMergeTree(earliness)
PARTITION BY toYYYYMMDD(window_start)
PRIMARY KEY (tenant, product_id, window_start, window_end, window, task)
ORDER BY (tenant, product_id, window_start, window_end, window, task, version)
TTL toDateTime(least(greatest(toInt64(window_end) + 2592000, 1), 4294967295))
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS `ctr`.ctr_inputs
(
  tenant String,
  number UInt32,
  run String,
  name String,
  bytes UInt64,
  hash String,
  ended UInt8,
  at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(ended)
ORDER BY (number, run);

CREATE TABLE IF NOT EXISTS `ctr`.ctr_ledger
(
  tenant String,
  topic String,
  partition UInt32,
  first_offset UInt64,
  last_offset UInt64,
  read UInt64,
  counted UInt64,
  late UInt64,
  invalid UInt64,
  dead_lettered UInt64,
  invalid_by_reason Map(String, UInt64),
  max_event_time DateTime64(3, 'UTC'),
  cut_at DateTime64(3, 'UTC'),
  ignored UInt64 DEFAULT 0,
  duplicate UInt64 DEFAULT 0
)
ENGINE = ReplacingMergeTree(cut_at)
ORDER BY (tenant, topic, partition, first_offset, last_offset)
TTL toDateTime(least(greatest(toInt64(cut_at) + 172800, 1), 4294967295));

CREATE TABLE IF NOT EXISTS `ctr`.ctr_ledger_hourly
(
  tenant String,
  topic String,
  partition UInt32,
  first_offset UInt64,
  last_offset UInt64,
  read UInt64,
  counted UInt64,
  late UInt64,
  invalid UInt64,
  dead_lettered UInt64,
  invalid_by_reason Map(String, UInt64),
  max_event_time DateTime64(3, 'UTC'),
  cut_at DateTime64(3, 'UTC'),
  ignored UInt64 DEFAULT 0,
  duplicate UInt64 DEFAULT 0,
  hour DateTime('UTC') DEFAULT toStartOfHour(cut_at),
  newest UInt128 DEFAULT bitShiftLeft(toUInt128(last_offset), 64) + toUInt64(toUnixTimestamp64Milli(cut_at))
)
ENGINE = ReplacingMergeTree(newest)
ORDER BY (tenant, topic, partition, first_offset, hour);

CREATE MATERIALIZED VIEW IF NOT EXISTS `ctr`.ctr_ledger_hourly_feed TO `ctr`.ctr_ledger_hourly AS
SELECT tenant, topic, partition, first_offset, last_offset, read, counted, late, invalid, dead_lettered, invalid_by_reason, max_event_time, cut_at, ignored, duplicate
FROM `ctr`.ctr_ledger;

CREATE TABLE IF NOT EXISTS `ctr`.ctr_ledger_windows
(
  tenant String,
  task UInt32,
  window_start DateTime64(3, 'UTC'),
  window_end DateTime64(3, 'UTC'),
  events UInt64,
  version UInt64,
  cut_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, window_start, window_end, task);

CREATE TABLE IF NOT EXISTS `ctr`.ctr_refreshed
(
  name String,
  at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (name);

CREATE OR REPLACE VIEW `ctr`.ctr_windows AS
SELECT
  tenant,
  product_id,
  window_start,
  window_end,
  argMax(w.impressions, w.revision) AS impressions,
  argMax(w.clicks, w.revision) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  window,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM
(
  SELECT
    tenant,
    product_id,
    window_start,
    window_end,
    window,
    bitShiftRight(version, 40) AS revision,
    sum(r.impressions) AS impressions,
    sum(r.clicks) AS clicks
  FROM `ctr`.ctr_results AS r FINAL
  WHERE (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name))
  GROUP BY tenant, product_id, window_start, window_end, window, revision
) AS w
GROUP BY tenant, product_id, window_start, window_end, window
SETTINGS optimize_aggregation_in_order = 1;

CREATE TABLE IF NOT EXISTS `ctr`.ctr_latest_computed
(
  settled UInt8,
  tenant String,
  product_id String,
  `window` LowCardinality(String),
  input UInt32,
  window_start DateTime64(3, 'UTC'),
  window_end DateTime64(3, 'UTC'),
  revision UInt32,
  impressions UInt64,
  clicks UInt64,
  hash UInt64,
  refreshed_at DateTime64(3, 'UTC'),
  newest UInt256 DEFAULT bitShiftLeft(toUInt256(toUnixTimestamp64Milli(window_end)), 144) + bitShiftLeft(toUInt256(toUnixTimestamp64Milli(window_start)), 96) + bitShiftLeft(toUInt256(revision), 48) + bitShiftLeft(toUInt256(toUnixTimestamp64Milli(refreshed_at)), 0)
)
ENGINE = ReplacingMergeTree(newest)
PARTITION BY settled
ORDER BY (settled, tenant, product_id, window, input);

CREATE OR REPLACE VIEW `ctr`.ctr_latest AS
WITH
  (
    SELECT (maxIf(at, name = 'latest'), maxIf(at, name = 'latest settled'), maxIf(at, name = 'whole ctr_recent'), now64(3))
    FROM `ctr`.ctr_refreshed
  ) AS marks,
  marks.1 AS computed_at,
  marks.2 AS settled_at,
  marks.3 AS whole_from,
  computed_at - INTERVAL 60 SECOND AS since,
  dateDiff('millisecond', computed_at, marks.4) <= dateDiff('millisecond', whole_from, computed_at) AND marks.4 >= since AS known,
  looked_up AS
  (
    SELECT cityHash64(tenant, product_id) FROM `ctr`.ctr_recent WHERE inserted_at >= since
    UNION ALL
    SELECT hash FROM `ctr`.ctr_latest_computed WHERE settled = 0 AND refreshed_at > settled_at OR input > 0
  )
SELECT tenant, product_id, window_start, window_end, impressions, clicks, if(impressions = 0, 0, clicks / impressions) AS ctr, window,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM `ctr`.ctr_latest_computed FINAL
WHERE settled = 1 AND known AND hash NOT IN (looked_up)
UNION ALL
SELECT tenant, product_id, window_start, window_end, s.impressions AS impressions, s.clicks AS clicks, if(impressions = 0, 0, clicks / impressions) AS ctr, window,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM
(
  SELECT tenant, product_id, window, window_start, window_end, revision, sum(n.impressions) AS impressions, sum(n.clicks) AS clicks
  FROM
  (
  SELECT tenant, product_id, window, input, window_start, window_end, revision, impressions, clicks
  FROM
  (
    SELECT tenant, product_id, window, input, window_start, window_end, toUInt64(revision) AS revision, impressions, clicks,
      refreshed_at
    FROM `ctr`.ctr_latest_computed
    WHERE known AND hash IN (looked_up) AND (settled = 1 OR refreshed_at > settled_at)
    UNION ALL
    SELECT tenant, product_id, window, if(task < 1073741824, 0, task) AS input, window_start, window_end,
      bitShiftRight(version, 40) AS revision, sum(r.impressions) AS impressions, sum(r.clicks) AS clicks, toDateTime64('2299-01-01 00:00:00', 3, 'UTC') AS refreshed_at
    FROM `ctr`.ctr_recent AS r FINAL
    WHERE window_start >= whole_from AND known
      AND window_start IN (SELECT window_start FROM `ctr`.ctr_recent WHERE inserted_at >= since AND window_start >= whole_from)
    GROUP BY tenant, product_id, window, input, window_start, window_end, revision
    HAVING max(r.inserted_at) >= since
    UNION ALL
    SELECT tenant, product_id, window, if(task < 1073741824, 0, task) AS input, window_start, window_end,
      bitShiftRight(version, 40) AS revision, sum(r.impressions) AS impressions, sum(r.clicks) AS clicks, toDateTime64('2299-01-01 00:00:00', 3, 'UTC') AS refreshed_at
    FROM `ctr`.ctr_results AS r FINAL
    WHERE window_start < whole_from AND known AND (tenant, product_id, window_start) IN (
        SELECT tenant, product_id, window_start FROM `ctr`.ctr_recent WHERE inserted_at >= since AND window_start < whole_from)
    GROUP BY tenant, product_id, window, input, window_start, window_end, revision
    UNION ALL
    SELECT tenant, product_id, window, if(task < 1073741824, 0, task) AS input, window_start, window_end,
      bitShiftRight(version, 40) AS revision, sum(r.impressions) AS impressions, sum(r.clicks) AS clicks, toDateTime64('2299-01-01 00:00:00', 3, 'UTC') AS refreshed_at
    FROM `ctr`.ctr_results AS r FINAL
    WHERE NOT known
    GROUP BY tenant, product_id, window, input, window_start, window_end, revision
  )
  ORDER BY window_end DESC, window_start DESC, revision DESC, refreshed_at DESC
  LIMIT 1 BY tenant, product_id, window, input
  ) AS n
  WHERE (input < 1073741824 OR input IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name))
  GROUP BY tenant, product_id, window, window_start, window_end, revision
  ORDER BY window_end DESC, window_start DESC, revision DESC
  LIMIT 1 BY tenant, product_id, window
) AS s;

CREATE TABLE IF NOT EXISTS `ctr`.ctr_minutely_computed
(
  tenant String,
  product_id String,
  minute DateTime('UTC'),
  impressions UInt64,
  clicks UInt64,
  refreshed_at DateTime64(3, 'UTC'),
  INDEX refreshed_at_range refreshed_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(refreshed_at)
PARTITION BY toMonday(minute)
ORDER BY (tenant, minute, product_id)
SETTINGS index_granularity = 1024;

CREATE OR REPLACE VIEW `ctr`.ctr_minutely AS
SELECT tenant, product_id, minute, impressions, clicks, if(impressions = 0, 0, clicks / impressions) AS ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM `ctr`.ctr_minutely_computed FINAL
WHERE (impressions > 0 OR clicks > 0);

CREATE TABLE IF NOT EXISTS `ctr`.ctr_hourly_computed
(
  tenant String,
  product_id String,
  hour DateTime('UTC'),
  impressions UInt64,
  clicks UInt64,
  refreshed_at DateTime64(3, 'UTC'),
  INDEX refreshed_at_range refreshed_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(refreshed_at)
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant, hour, product_id)
SETTINGS index_granularity = 1024;

CREATE OR REPLACE VIEW `ctr`.ctr_hourly AS
SELECT tenant, product_id, hour, impressions, clicks, if(impressions = 0, 0, clicks / impressions) AS ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM `ctr`.ctr_hourly_computed FINAL
WHERE (impressions > 0 OR clicks > 0);

CREATE TABLE IF NOT EXISTS `ctr`.ctr_daily_computed
(
  tenant String,
  product_id String,
  day DateTime('UTC'),
  impressions UInt64,
  clicks UInt64,
  refreshed_at DateTime64(3, 'UTC'),
  INDEX refreshed_at_range refreshed_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(refreshed_at)
PARTITION BY toYear(day)
ORDER BY (tenant, day, product_id)
SETTINGS index_granularity = 1024;

CREATE OR REPLACE VIEW `ctr`.ctr_daily AS
SELECT tenant, product_id, day, impressions, clicks, if(impressions = 0, 0, clicks / impressions) AS ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM `ctr`.ctr_daily_computed FINAL
WHERE (impressions > 0 OR clicks > 0);

CREATE TABLE IF NOT EXISTS `ctr`.ctr_monthly_computed
(
  tenant String,
  product_id String,
  month DateTime('UTC'),
  impressions UInt64,
  clicks UInt64,
  refreshed_at DateTime64(3, 'UTC'),
  INDEX refreshed_at_range refreshed_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(refreshed_at)
PARTITION BY toYear(month)
ORDER BY (tenant, month, product_id)
SETTINGS index_granularity = 1024;

CREATE OR REPLACE VIEW `ctr`.ctr_monthly AS
SELECT tenant, product_id, month, impressions, clicks, if(impressions = 0, 0, clicks / impressions) AS ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM `ctr`.ctr_monthly_computed FINAL
WHERE (impressions > 0 OR clicks > 0);

CREATE TABLE IF NOT EXISTS `ctr`.ctr_totals_minutely_computed
(
  tenant String,
  minute DateTime('UTC'),
  impressions UInt64,
  clicks UInt64,
  refreshed_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(refreshed_at)
PARTITION BY toYear(minute)
ORDER BY (tenant, minute);

CREATE OR REPLACE VIEW `ctr`.ctr_totals_minutely AS
SELECT tenant, minute, impressions, clicks, if(impressions = 0, 0, clicks / impressions) AS ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM `ctr`.ctr_totals_minutely_computed FINAL
WHERE (impressions > 0 OR clicks > 0);

CREATE OR REPLACE VIEW `ctr`.ctr_totals_hourly AS
SELECT
  tenant,
  toStartOfHour(minute) AS hour,
  sum(t.impressions) AS impressions,
  sum(t.clicks) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM `ctr`.ctr_totals_minutely AS t
GROUP BY tenant, hour;

CREATE OR REPLACE VIEW `ctr`.ctr_totals_daily AS
SELECT
  tenant,
  toStartOfDay(minute) AS day,
  sum(t.impressions) AS impressions,
  sum(t.clicks) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM `ctr`.ctr_totals_minutely AS t
GROUP BY tenant, day;

CREATE OR REPLACE VIEW `ctr`.ctr_totals_monthly AS
SELECT
  tenant,
  toDateTime(toStartOfMonth(minute), 'UTC') AS month,
  sum(t.impressions) AS impressions,
  sum(t.clicks) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM `ctr`.ctr_totals_minutely AS t
GROUP BY tenant, month;

CREATE OR REPLACE VIEW `ctr`.ctr_last_5m AS
WITH
  (SELECT now64(3)) AS asked_at,
  asked_at - INTERVAL 10 MINUTE AS since,
  (SELECT min(bitShiftRight(version, 40)) < max(bitShiftRight(version, 40)) FROM `ctr`.ctr_recent AS r WHERE window = '' AND window_start >= since AND window_start <= asked_at) AS mixed,
  superseded AS
  (
    SELECT tenant, product_id, window_start, window_end, arrayJoin(arrayFilter(one -> one < newest, revisions))
    FROM
    (
      SELECT tenant, product_id, window_start, window_end, groupUniqArray(bitShiftRight(version, 40)) AS revisions, arrayMax(revisions) AS newest
      FROM `ctr`.ctr_recent AS r
      WHERE mixed AND window = '' AND window_start >= since AND window_start <= asked_at AND (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name))
      GROUP BY tenant, product_id, window_start, window_end
    )
  )
SELECT
  tenant,
  product_id,
  sumIf(r.impressions, (window_start >= since + INTERVAL 5 MINUTE)) AS impressions,
  sumIf(r.clicks, (window_start >= since + INTERVAL 5 MINUTE)) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  sumIf(r.impressions, NOT (window_start >= since + INTERVAL 5 MINUTE)) AS previous_impressions,
  sumIf(r.clicks, NOT (window_start >= since + INTERVAL 5 MINUTE)) AS previous_clicks,
  if(previous_impressions = 0, 0, previous_clicks / previous_impressions) AS previous_ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough,
  greatest(0, (toFloat64(least(previous_clicks, previous_impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(previous_clicks, previous_impressions)) * (toFloat64(previous_impressions) - toFloat64(least(previous_clicks, previous_impressions))) / greatest(toFloat64(previous_impressions), 1) + 0.9603647051734784)) / (toFloat64(previous_impressions) + 3.8414588206939135)) AS previous_ctr_low,
  least(1, (toFloat64(least(previous_clicks, previous_impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(previous_clicks, previous_impressions)) * (toFloat64(previous_impressions) - toFloat64(least(previous_clicks, previous_impressions))) / greatest(toFloat64(previous_impressions), 1) + 0.9603647051734784)) / (toFloat64(previous_impressions) + 3.8414588206939135)) AS previous_ctr_high,
  previous_impressions >= 1000 AS previous_enough,
  toInt8(ctr_low > previous_ctr_high) - toInt8(ctr_high < previous_ctr_low) AS moved
FROM `ctr`.ctr_recent AS r FINAL
WHERE window = '' AND window_start >= since AND window_start <= asked_at AND (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name))
  AND (NOT mixed OR (tenant, product_id, window_start, window_end, bitShiftRight(version, 40)) NOT IN (superseded))
GROUP BY tenant, product_id;

CREATE OR REPLACE VIEW `ctr`.ctr_last_hour AS
WITH toStartOfMinute(toDateTime((SELECT now64(3)), 'UTC')) - INTERVAL 1 HOUR AS since
SELECT
  tenant,
  product_id,
  sumIf(r.impressions, (minute > since)) AS impressions,
  sumIf(r.clicks, (minute > since)) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  sumIf(r.impressions, NOT (minute > since)) AS previous_impressions,
  sumIf(r.clicks, NOT (minute > since)) AS previous_clicks,
  if(previous_impressions = 0, 0, previous_clicks / previous_impressions) AS previous_ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough,
  greatest(0, (toFloat64(least(previous_clicks, previous_impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(previous_clicks, previous_impressions)) * (toFloat64(previous_impressions) - toFloat64(least(previous_clicks, previous_impressions))) / greatest(toFloat64(previous_impressions), 1) + 0.9603647051734784)) / (toFloat64(previous_impressions) + 3.8414588206939135)) AS previous_ctr_low,
  least(1, (toFloat64(least(previous_clicks, previous_impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(previous_clicks, previous_impressions)) * (toFloat64(previous_impressions) - toFloat64(least(previous_clicks, previous_impressions))) / greatest(toFloat64(previous_impressions), 1) + 0.9603647051734784)) / (toFloat64(previous_impressions) + 3.8414588206939135)) AS previous_ctr_high,
  previous_impressions >= 1000 AS previous_enough,
  toInt8(ctr_low > previous_ctr_high) - toInt8(ctr_high < previous_ctr_low) AS moved
FROM `ctr`.ctr_minutely_computed AS r FINAL
WHERE minute > since - INTERVAL 1 HOUR AND minute <= since + INTERVAL 1 HOUR
GROUP BY tenant, product_id
HAVING impressions + clicks + previous_impressions + previous_clicks > 0;

CREATE OR REPLACE VIEW `ctr`.ctr_last_day AS
WITH toStartOfHour(toDateTime((SELECT now64(3)), 'UTC')) - INTERVAL 1 DAY AS since
SELECT
  tenant,
  product_id,
  sumIf(r.impressions, (hour > since)) AS impressions,
  sumIf(r.clicks, (hour > since)) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  sumIf(r.impressions, NOT (hour > since)) AS previous_impressions,
  sumIf(r.clicks, NOT (hour > since)) AS previous_clicks,
  if(previous_impressions = 0, 0, previous_clicks / previous_impressions) AS previous_ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough,
  greatest(0, (toFloat64(least(previous_clicks, previous_impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(previous_clicks, previous_impressions)) * (toFloat64(previous_impressions) - toFloat64(least(previous_clicks, previous_impressions))) / greatest(toFloat64(previous_impressions), 1) + 0.9603647051734784)) / (toFloat64(previous_impressions) + 3.8414588206939135)) AS previous_ctr_low,
  least(1, (toFloat64(least(previous_clicks, previous_impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(previous_clicks, previous_impressions)) * (toFloat64(previous_impressions) - toFloat64(least(previous_clicks, previous_impressions))) / greatest(toFloat64(previous_impressions), 1) + 0.9603647051734784)) / (toFloat64(previous_impressions) + 3.8414588206939135)) AS previous_ctr_high,
  previous_impressions >= 1000 AS previous_enough,
  toInt8(ctr_low > previous_ctr_high) - toInt8(ctr_high < previous_ctr_low) AS moved
FROM `ctr`.ctr_hourly_computed AS r FINAL
WHERE hour > since - INTERVAL 1 DAY AND hour <= since + INTERVAL 1 DAY
GROUP BY tenant, product_id
HAVING impressions + clicks + previous_impressions + previous_clicks > 0;

CREATE OR REPLACE VIEW `ctr`.ctr_changes AS
WITH
  {since:DateTime64(3)} AS since,
  (SELECT now64(3)) AS asked_at,
  if(toUnixTimestamp64Milli(asked_at) - toUnixTimestamp64Milli((SELECT max(at) FROM `ctr`.ctr_refreshed WHERE name = 'latest')) <= toUnixTimestamp64Milli((SELECT max(at) FROM `ctr`.ctr_refreshed WHERE name = 'latest')) - toUnixTimestamp64Milli((SELECT max(at) FROM `ctr`.ctr_refreshed WHERE name = 'whole ctr_recent')), (SELECT max(at) FROM `ctr`.ctr_refreshed WHERE name = 'whole ctr_recent'), toDateTime64('2299-01-01 00:00:00', 3, 'UTC')) AS whole_from,
  (SELECT max(at) FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= since) AS ended_at,
  of_ended AS
  (
    SELECT number FROM `ctr`.ctr_inputs
    WHERE ended = 1 AND (tenant, name) IN (SELECT tenant, name FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= since)
  )
SELECT
  tenant,
  product_id,
  window_start,
  window_end,
  argMax(w.impressions, w.revision) AS impressions,
  argMax(w.clicks, w.revision) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  window,
  max(w.changed_at) AS changed_at,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM
(
  SELECT
    tenant,
    product_id,
    window_start,
    window_end,
    window,
    if((task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name)), bitShiftRight(version, 40), 0) AS revision,
    sum(if((task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name)), r.impressions, 0)) AS impressions,
    sum(if((task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name)), r.clicks, 0)) AS clicks,
    max(if(ended_at >= since AND task IN (of_ended), greatest(r.inserted_at, ended_at), r.inserted_at)) AS changed_at
  FROM `ctr`.ctr_recent AS r FINAL
  WHERE window_start >= whole_from AND window_start IN (
      SELECT window_start FROM `ctr`.ctr_recent WHERE inserted_at >= since AND window_start >= whole_from AND since >= whole_from)
  GROUP BY tenant, product_id, window_start, window_end, window, revision
  UNION ALL
  SELECT
    tenant,
    product_id,
    window_start,
    window_end,
    window,
    if((task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name)), bitShiftRight(version, 40), 0) AS revision,
    sum(if((task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name)), r.impressions, 0)) AS impressions,
    sum(if((task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name)), r.clicks, 0)) AS clicks,
    max(if(ended_at >= since AND task IN (of_ended), greatest(r.inserted_at, ended_at), r.inserted_at)) AS changed_at
  FROM `ctr`.ctr_results AS r FINAL
  WHERE (tenant, product_id, window_start) IN (
      SELECT tenant, product_id, window_start FROM `ctr`.ctr_recent WHERE inserted_at >= since AND window_start < whole_from AND since >= whole_from
      UNION ALL
      SELECT tenant, product_id, window_start FROM `ctr`.ctr_results WHERE inserted_at >= since AND since < whole_from
      UNION ALL
      SELECT tenant, product_id, window_start FROM `ctr`.ctr_results WHERE ended_at >= since AND task IN (of_ended))
  GROUP BY tenant, product_id, window_start, window_end, window, revision
) AS w
GROUP BY tenant, product_id, window_start, window_end, window
HAVING changed_at >= since;

CREATE OR REPLACE VIEW `ctr`.ctr_movers AS
SELECT
  tenant,
  product_id,
  sumIf(m.impressions, (minute >= {since:DateTime('UTC')} AND minute < {until:DateTime('UTC')})) AS impressions,
  sumIf(m.clicks, (minute >= {since:DateTime('UTC')} AND minute < {until:DateTime('UTC')})) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  sumIf(m.impressions, (minute >= {before_since:DateTime('UTC')} AND minute < {before_until:DateTime('UTC')})) AS previous_impressions,
  sumIf(m.clicks, (minute >= {before_since:DateTime('UTC')} AND minute < {before_until:DateTime('UTC')})) AS previous_clicks,
  if(previous_impressions = 0, 0, previous_clicks / previous_impressions) AS previous_ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough,
  greatest(0, (toFloat64(least(previous_clicks, previous_impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(previous_clicks, previous_impressions)) * (toFloat64(previous_impressions) - toFloat64(least(previous_clicks, previous_impressions))) / greatest(toFloat64(previous_impressions), 1) + 0.9603647051734784)) / (toFloat64(previous_impressions) + 3.8414588206939135)) AS previous_ctr_low,
  least(1, (toFloat64(least(previous_clicks, previous_impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(previous_clicks, previous_impressions)) * (toFloat64(previous_impressions) - toFloat64(least(previous_clicks, previous_impressions))) / greatest(toFloat64(previous_impressions), 1) + 0.9603647051734784)) / (toFloat64(previous_impressions) + 3.8414588206939135)) AS previous_ctr_high,
  previous_impressions >= 1000 AS previous_enough,
  toInt8(ctr_low > previous_ctr_high) - toInt8(ctr_high < previous_ctr_low) AS moved
FROM `ctr`.ctr_minutely AS m
WHERE (minute >= {since:DateTime('UTC')} AND minute < {until:DateTime('UTC')}) OR (minute >= {before_since:DateTime('UTC')} AND minute < {before_until:DateTime('UTC')})
GROUP BY tenant, product_id
HAVING moved != 0;

CREATE OR REPLACE VIEW `ctr`.ctr_anomalies AS
WITH toStartOfHour({hour:DateTime('UTC')}) AS asked
SELECT
  tenant,
  product_id,
  asked AS hour,
  sumIf(h.impressions, h.hour = asked) AS impressions,
  sumIf(h.clicks, h.hour = asked) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough,
  countIf(h.hour < asked AND h.impressions >= 1000) AS days,
  arraySort(groupArrayIf(least(h.clicks, h.impressions) / greatest(h.impressions, 1), h.hour < asked AND h.impressions >= 1000))[intDiv(days + 1, 2)] AS usual_ctr,
  arraySort(groupArrayIf(greatest(0, (toFloat64(least(h.clicks, h.impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(h.clicks, h.impressions)) * (toFloat64(h.impressions) - toFloat64(least(h.clicks, h.impressions))) / greatest(toFloat64(h.impressions), 1) + 0.9603647051734784)) / (toFloat64(h.impressions) + 3.8414588206939135)), h.hour < asked AND h.impressions >= 1000))[1 + intDiv(days, 10)] AS usual_low,
  arraySort(groupArrayIf(least(1, (toFloat64(least(h.clicks, h.impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(h.clicks, h.impressions)) * (toFloat64(h.impressions) - toFloat64(least(h.clicks, h.impressions))) / greatest(toFloat64(h.impressions), 1) + 0.9603647051734784)) / (toFloat64(h.impressions) + 3.8414588206939135)), h.hour < asked AND h.impressions >= 1000))[days - intDiv(days, 10)] AS usual_high,
  toInt8(ctr_low > usual_high) - toInt8(ctr_high < usual_low) AS unusual
FROM
(
  SELECT tenant, product_id, hour, impressions, clicks FROM `ctr`.ctr_hourly WHERE hour IN (asked - 0, asked - 86400, asked - 172800, asked - 259200, asked - 345600, asked - 432000, asked - 518400, asked - 604800, asked - 691200, asked - 777600, asked - 864000, asked - 950400, asked - 1036800, asked - 1123200, asked - 1209600)
  UNION ALL
  SELECT tenant, '' AS product_id, hour, impressions, clicks FROM `ctr`.ctr_totals_hourly WHERE hour IN (asked - 0, asked - 86400, asked - 172800, asked - 259200, asked - 345600, asked - 432000, asked - 518400, asked - 604800, asked - 691200, asked - 777600, asked - 864000, asked - 950400, asked - 1036800, asked - 1123200, asked - 1209600)
) AS h
GROUP BY tenant, product_id
HAVING enough AND days >= 7 AND unusual != 0;

CREATE OR REPLACE VIEW `ctr`.ctr_results_as_of AS
WITH
  {known_at:DateTime64(3, 'UTC')} AS known_at,
  (SELECT throwIf(toUnixTimestamp64Milli(known_at) > 0 AND (toUnixTimestamp(begins) = 0 OR begins > known_at), 'the history that sink.history keeps begins later than known_at') FROM (SELECT max(at) AS begins FROM `ctr`.ctr_refreshed WHERE name = 'whole ctr_emissions')) AS refused
SELECT
  tenant,
  product_id,
  window_start,
  window_end,
  argMax(w.impressions, w.revision) AS impressions,
  argMax(w.clicks, w.revision) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  window,
  greatest(0, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 - 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_low,
  least(1, (toFloat64(least(clicks, impressions)) + 1.9207294103469568 + 1.95996398454 * sqrt(toFloat64(least(clicks, impressions)) * (toFloat64(impressions) - toFloat64(least(clicks, impressions))) / greatest(toFloat64(impressions), 1) + 0.9603647051734784)) / (toFloat64(impressions) + 3.8414588206939135)) AS ctr_high,
  impressions >= 1000 AS enough
FROM
(
  SELECT tenant, product_id, window_start, window_end, window, bitShiftRight(version, 40) AS revision, sum(n.impressions) AS impressions, sum(n.clicks) AS clicks
  FROM
  (
    SELECT tenant, product_id, window_start, window_end, window, task, max(e.version) AS version,
      argMax(e.impressions, e.version) AS impressions, argMax(e.clicks, e.version) AS clicks
    FROM `ctr`.ctr_emissions AS e
    WHERE emitted_at <= known_at AND refused = 0 AND toInt64(window_end) + 2592000 > toInt64(now())
      AND (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 AND at <= known_at GROUP BY tenant, name))
    GROUP BY tenant, product_id, window_start, window_end, window, task
  ) AS n
  GROUP BY tenant, product_id, window_start, window_end, window, revision
) AS w
GROUP BY tenant, product_id, window_start, window_end, window;

CREATE OR REPLACE VIEW `ctr`.ctr_reconciliation AS
SELECT
  tenant,
  minute,
  sum(p.read) AS read,
  sum(p.counted) AS counted,
  sum(p.late) AS late,
  sum(p.invalid) AS invalid,
  sum(p.ignored) AS ignored,
  sum(p.dead_lettered) AS dead_lettered,
  sum(p.read) - sum(p.counted) - sum(p.late) - sum(p.invalid) - sum(p.ignored) AS unaccounted,
  sum(p.window_events) AS window_events,
  sum(p.result_events) AS result_events,
  sum(p.window_events) - sum(p.result_events) AS missing,
  unaccounted = 0 AND missing = 0 AS balanced
FROM
(
  SELECT
    tenant,
    toStartOfMinute(max_event_time) AS minute,
    toInt64(read) - lagInFrame(toInt64(read), 1, 0) OVER span AS read,
    toInt64(counted) - lagInFrame(toInt64(counted), 1, 0) OVER span AS counted,
    toInt64(late) - lagInFrame(toInt64(late), 1, 0) OVER span AS late,
    toInt64(invalid) - lagInFrame(toInt64(invalid), 1, 0) OVER span AS invalid,
    toInt64(ignored) - lagInFrame(toInt64(ignored), 1, 0) OVER span AS ignored,
    toInt64(dead_lettered) - lagInFrame(toInt64(dead_lettered), 1, 0) OVER span AS dead_lettered,
    toInt64(0) AS window_events,
    toInt64(0) AS result_events
  FROM
  (
    SELECT * FROM
    (
      SELECT tenant, topic, partition, first_offset, last_offset, read, counted, late, invalid, ignored, dead_lettered, max_event_time, cut_at FROM `ctr`.ctr_ledger FINAL
      UNION ALL
      SELECT tenant, topic, partition, first_offset, last_offset, read, counted, late, invalid, ignored, dead_lettered, max_event_time, cut_at FROM `ctr`.ctr_ledger_hourly FINAL
    )
    WHERE (partition < 1073741824 OR partition IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name))
    ORDER BY cut_at DESC
    LIMIT 1 BY tenant, topic, partition, first_offset, last_offset
  )
  WINDOW span AS (
    PARTITION BY tenant, topic, partition, first_offset ORDER BY last_offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
  UNION ALL
  SELECT tenant, toStartOfMinute(window_start) AS minute, toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(events), toInt64(0)
  FROM `ctr`.ctr_ledger_windows FINAL
  WHERE (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name))
  UNION ALL
  SELECT tenant, toStartOfMinute(window_start) AS minute, toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(impressions + clicks)
  FROM `ctr`.ctr_results FINAL
  WHERE (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name))
    AND (tenant, window_start, window_end, task, bitShiftRight(version, 40)) IN (
      SELECT tenant, window_start, window_end, task, bitShiftRight(version, 40) FROM `ctr`.ctr_ledger_windows FINAL
    )
) AS p
GROUP BY tenant, minute;
