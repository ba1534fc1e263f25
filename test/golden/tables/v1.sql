CREATE DATABASE IF NOT EXISTS `ctr` ENGINE = Atomic;

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
  INDEX inserted_at_range inserted_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMMDD(window_start)
ORDER BY (tenant, product_id, window_start, window_end, task);

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
  cut_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(cut_at)
ORDER BY (tenant, topic, partition, first_offset, last_offset);

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

CREATE OR REPLACE VIEW `ctr`.ctr_windows AS
SELECT
  tenant,
  product_id,
  window_start,
  window_end,
  argMax(w.impressions, w.revision) AS impressions,
  argMax(w.clicks, w.revision) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr
FROM
(
  SELECT
    tenant,
    product_id,
    window_start,
    window_end,
    bitShiftRight(version, 40) AS revision,
    sum(r.impressions) AS impressions,
    sum(r.clicks) AS clicks
  FROM `ctr`.ctr_results AS r FINAL
  WHERE (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name))
  GROUP BY tenant, product_id, window_start, window_end, revision
) AS w
GROUP BY tenant, product_id, window_start, window_end
SETTINGS optimize_aggregation_in_order = 1;

CREATE OR REPLACE VIEW `ctr`.ctr_latest AS
SELECT tenant, product_id, window_start, window_end, impressions, clicks, ctr
FROM `ctr`.ctr_windows
ORDER BY window_end DESC, window_start DESC
LIMIT 1 BY tenant, product_id;

CREATE TABLE IF NOT EXISTS `ctr`.ctr_minutely_computed
(
  tenant String,
  product_id String,
  minute DateTime('UTC'),
  impressions UInt64,
  clicks UInt64,
  refreshed_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(refreshed_at)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, product_id, minute);

CREATE MATERIALIZED VIEW IF NOT EXISTS `ctr`.ctr_minutely_refresh REFRESH EVERY 30 SECOND APPEND TO `ctr`.ctr_minutely_computed AS
SELECT
  tenant,
  product_id,
  toStartOfMinute(window_start) AS minute,
  sum(w.impressions) AS impressions,
  sum(w.clicks) AS clicks,
  now64(3, 'UTC') AS refreshed_at
FROM
(
  SELECT
    tenant,
    product_id,
    window_start,
    argMax(v.impressions, v.revision) AS impressions,
    argMax(v.clicks, v.revision) AS clicks
  FROM
  (
    WITH (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name)) AS counting
    SELECT
      tenant,
      product_id,
      window_start,
      window_end,
      if(counting, bitShiftRight(version, 40), 0) AS revision,
      sum(if(counting, r.impressions, 0)) AS impressions,
      sum(if(counting, r.clicks, 0)) AS clicks
    FROM `ctr`.ctr_results AS r FINAL
    WHERE window_start >= (SELECT if(count() = 0, toDateTime('2105-01-01 00:00:00', 'UTC'), min(touched)) FROM (
    SELECT toStartOfMinute(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE inserted_at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_minutely_computed) - INTERVAL 10 MINUTE
    UNION DISTINCT
    SELECT toStartOfMinute(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE task IN (SELECT number FROM `ctr`.ctr_inputs WHERE (tenant, name) IN (SELECT tenant, name FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_minutely_computed) - INTERVAL 10 MINUTE))
      AND (SELECT count() FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_minutely_computed) - INTERVAL 10 MINUTE) > 0
  ))
      AND toStartOfMinute(window_start) IN (
    SELECT toStartOfMinute(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE inserted_at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_minutely_computed) - INTERVAL 10 MINUTE
    UNION DISTINCT
    SELECT toStartOfMinute(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE task IN (SELECT number FROM `ctr`.ctr_inputs WHERE (tenant, name) IN (SELECT tenant, name FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_minutely_computed) - INTERVAL 10 MINUTE))
      AND (SELECT count() FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_minutely_computed) - INTERVAL 10 MINUTE) > 0
  )
    GROUP BY tenant, product_id, window_start, window_end, revision
  ) AS v
  GROUP BY tenant, product_id, window_start, window_end
) AS w
GROUP BY tenant, product_id, minute
SETTINGS optimize_aggregation_in_order = 1, max_partitions_per_insert_block = 0;

ALTER TABLE `ctr`.ctr_minutely_refresh MODIFY QUERY
SELECT
  tenant,
  product_id,
  toStartOfMinute(window_start) AS minute,
  sum(w.impressions) AS impressions,
  sum(w.clicks) AS clicks,
  now64(3, 'UTC') AS refreshed_at
FROM
(
  SELECT
    tenant,
    product_id,
    window_start,
    argMax(v.impressions, v.revision) AS impressions,
    argMax(v.clicks, v.revision) AS clicks
  FROM
  (
    WITH (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name)) AS counting
    SELECT
      tenant,
      product_id,
      window_start,
      window_end,
      if(counting, bitShiftRight(version, 40), 0) AS revision,
      sum(if(counting, r.impressions, 0)) AS impressions,
      sum(if(counting, r.clicks, 0)) AS clicks
    FROM `ctr`.ctr_results AS r FINAL
    WHERE window_start >= (SELECT if(count() = 0, toDateTime('2105-01-01 00:00:00', 'UTC'), min(touched)) FROM (
    SELECT toStartOfMinute(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE inserted_at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_minutely_computed) - INTERVAL 10 MINUTE
    UNION DISTINCT
    SELECT toStartOfMinute(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE task IN (SELECT number FROM `ctr`.ctr_inputs WHERE (tenant, name) IN (SELECT tenant, name FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_minutely_computed) - INTERVAL 10 MINUTE))
      AND (SELECT count() FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_minutely_computed) - INTERVAL 10 MINUTE) > 0
  ))
      AND toStartOfMinute(window_start) IN (
    SELECT toStartOfMinute(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE inserted_at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_minutely_computed) - INTERVAL 10 MINUTE
    UNION DISTINCT
    SELECT toStartOfMinute(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE task IN (SELECT number FROM `ctr`.ctr_inputs WHERE (tenant, name) IN (SELECT tenant, name FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_minutely_computed) - INTERVAL 10 MINUTE))
      AND (SELECT count() FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_minutely_computed) - INTERVAL 10 MINUTE) > 0
  )
    GROUP BY tenant, product_id, window_start, window_end, revision
  ) AS v
  GROUP BY tenant, product_id, window_start, window_end
) AS w
GROUP BY tenant, product_id, minute
SETTINGS optimize_aggregation_in_order = 1, max_partitions_per_insert_block = 0;

CREATE OR REPLACE VIEW `ctr`.ctr_minutely AS
SELECT
  tenant,
  product_id,
  minute,
  impressions,
  clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr
FROM `ctr`.ctr_minutely_computed FINAL
WHERE impressions > 0 OR clicks > 0;

CREATE TABLE IF NOT EXISTS `ctr`.ctr_hourly_computed
(
  tenant String,
  product_id String,
  hour DateTime('UTC'),
  impressions UInt64,
  clicks UInt64,
  refreshed_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(refreshed_at)
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant, product_id, hour);

CREATE MATERIALIZED VIEW IF NOT EXISTS `ctr`.ctr_hourly_refresh REFRESH EVERY 5 MINUTE APPEND TO `ctr`.ctr_hourly_computed AS
SELECT
  tenant,
  product_id,
  toStartOfHour(window_start) AS hour,
  sum(w.impressions) AS impressions,
  sum(w.clicks) AS clicks,
  now64(3, 'UTC') AS refreshed_at
FROM
(
  SELECT
    tenant,
    product_id,
    window_start,
    argMax(v.impressions, v.revision) AS impressions,
    argMax(v.clicks, v.revision) AS clicks
  FROM
  (
    WITH (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name)) AS counting
    SELECT
      tenant,
      product_id,
      window_start,
      window_end,
      if(counting, bitShiftRight(version, 40), 0) AS revision,
      sum(if(counting, r.impressions, 0)) AS impressions,
      sum(if(counting, r.clicks, 0)) AS clicks
    FROM `ctr`.ctr_results AS r FINAL
    WHERE window_start >= (SELECT if(count() = 0, toDateTime('2105-01-01 00:00:00', 'UTC'), min(touched)) FROM (
    SELECT toStartOfHour(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE inserted_at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_hourly_computed) - INTERVAL 10 MINUTE
    UNION DISTINCT
    SELECT toStartOfHour(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE task IN (SELECT number FROM `ctr`.ctr_inputs WHERE (tenant, name) IN (SELECT tenant, name FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_hourly_computed) - INTERVAL 10 MINUTE))
      AND (SELECT count() FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_hourly_computed) - INTERVAL 10 MINUTE) > 0
  ))
      AND toStartOfHour(window_start) IN (
    SELECT toStartOfHour(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE inserted_at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_hourly_computed) - INTERVAL 10 MINUTE
    UNION DISTINCT
    SELECT toStartOfHour(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE task IN (SELECT number FROM `ctr`.ctr_inputs WHERE (tenant, name) IN (SELECT tenant, name FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_hourly_computed) - INTERVAL 10 MINUTE))
      AND (SELECT count() FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_hourly_computed) - INTERVAL 10 MINUTE) > 0
  )
    GROUP BY tenant, product_id, window_start, window_end, revision
  ) AS v
  GROUP BY tenant, product_id, window_start, window_end
) AS w
GROUP BY tenant, product_id, hour
SETTINGS optimize_aggregation_in_order = 1, max_partitions_per_insert_block = 0;

ALTER TABLE `ctr`.ctr_hourly_refresh MODIFY QUERY
SELECT
  tenant,
  product_id,
  toStartOfHour(window_start) AS hour,
  sum(w.impressions) AS impressions,
  sum(w.clicks) AS clicks,
  now64(3, 'UTC') AS refreshed_at
FROM
(
  SELECT
    tenant,
    product_id,
    window_start,
    argMax(v.impressions, v.revision) AS impressions,
    argMax(v.clicks, v.revision) AS clicks
  FROM
  (
    WITH (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name)) AS counting
    SELECT
      tenant,
      product_id,
      window_start,
      window_end,
      if(counting, bitShiftRight(version, 40), 0) AS revision,
      sum(if(counting, r.impressions, 0)) AS impressions,
      sum(if(counting, r.clicks, 0)) AS clicks
    FROM `ctr`.ctr_results AS r FINAL
    WHERE window_start >= (SELECT if(count() = 0, toDateTime('2105-01-01 00:00:00', 'UTC'), min(touched)) FROM (
    SELECT toStartOfHour(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE inserted_at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_hourly_computed) - INTERVAL 10 MINUTE
    UNION DISTINCT
    SELECT toStartOfHour(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE task IN (SELECT number FROM `ctr`.ctr_inputs WHERE (tenant, name) IN (SELECT tenant, name FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_hourly_computed) - INTERVAL 10 MINUTE))
      AND (SELECT count() FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_hourly_computed) - INTERVAL 10 MINUTE) > 0
  ))
      AND toStartOfHour(window_start) IN (
    SELECT toStartOfHour(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE inserted_at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_hourly_computed) - INTERVAL 10 MINUTE
    UNION DISTINCT
    SELECT toStartOfHour(window_start) AS touched
    FROM `ctr`.ctr_results
    WHERE task IN (SELECT number FROM `ctr`.ctr_inputs WHERE (tenant, name) IN (SELECT tenant, name FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_hourly_computed) - INTERVAL 10 MINUTE))
      AND (SELECT count() FROM `ctr`.ctr_inputs WHERE ended = 1 AND at >= (SELECT max(refreshed_at) FROM `ctr`.ctr_hourly_computed) - INTERVAL 10 MINUTE) > 0
  )
    GROUP BY tenant, product_id, window_start, window_end, revision
  ) AS v
  GROUP BY tenant, product_id, window_start, window_end
) AS w
GROUP BY tenant, product_id, hour
SETTINGS optimize_aggregation_in_order = 1, max_partitions_per_insert_block = 0;

CREATE OR REPLACE VIEW `ctr`.ctr_hourly AS
SELECT
  tenant,
  product_id,
  hour,
  impressions,
  clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr
FROM `ctr`.ctr_hourly_computed FINAL
WHERE impressions > 0 OR clicks > 0;

CREATE OR REPLACE VIEW `ctr`.ctr_reconciliation AS
SELECT
  tenant,
  minute,
  sum(p.read) AS read,
  sum(p.counted) AS counted,
  sum(p.late) AS late,
  sum(p.invalid) AS invalid,
  sum(p.dead_lettered) AS dead_lettered,
  sum(p.read) - sum(p.counted) - sum(p.late) - sum(p.invalid) AS unaccounted,
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
    toInt64(dead_lettered) - lagInFrame(toInt64(dead_lettered), 1, 0) OVER span AS dead_lettered,
    toInt64(0) AS window_events,
    toInt64(0) AS result_events
  FROM `ctr`.ctr_ledger FINAL
  WHERE (partition < 1073741824 OR partition IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name))
  WINDOW span AS (
    PARTITION BY tenant, topic, partition, first_offset ORDER BY last_offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
  UNION ALL
  SELECT tenant, toStartOfMinute(window_start) AS minute, toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(events), toInt64(0)
  FROM `ctr`.ctr_ledger_windows FINAL
  WHERE (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name))
  UNION ALL
  SELECT tenant, toStartOfMinute(window_start) AS minute, toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(impressions + clicks)
  FROM `ctr`.ctr_results FINAL
  WHERE (task < 1073741824 OR task IN (SELECT max(number) FROM `ctr`.ctr_inputs WHERE ended = 1 GROUP BY tenant, name))
    AND (tenant, window_start, window_end, task, bitShiftRight(version, 40)) IN (
      SELECT tenant, window_start, window_end, task, bitShiftRight(version, 40) FROM `ctr`.ctr_ledger_windows FINAL
    )
) AS p
GROUP BY tenant, minute;
