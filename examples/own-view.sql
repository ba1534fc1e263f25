-- Views of your own over the results. The database is `ctr`, as by default.
--
--   clickhouse-client --queries-file examples/own-view.sql
--
-- Both read ctr_windows, which takes the newest version of every row. A materialized view that is triggered by inserts into ctr_results
-- would see each version that a row has had, and count twice what it adds up.

-- Recomputed whenever it is read: always as new as the results.
CREATE OR REPLACE VIEW ctr.own_daily AS
SELECT
  tenant,
  product_id,
  toDate(window_start) AS day,
  sum(w.impressions) AS impressions,
  sum(w.clicks) AS clicks,
  if(sum(w.impressions) = 0, 0, sum(w.clicks) / sum(w.impressions)) AS ctr
FROM ctr.ctr_windows AS w
GROUP BY tenant, product_id, day;

-- Recomputed every five minutes and kept: quick to read. Each refresh replaces all of it. Here, the best ten products of each of the last
-- seven days that were shown a hundred times or more.
CREATE MATERIALIZED VIEW IF NOT EXISTS ctr.own_best
REFRESH EVERY 5 MINUTE
ENGINE = MergeTree
ORDER BY (tenant, day, product_id)
AS SELECT tenant, product_id, day, impressions, clicks, ctr
FROM ctr.own_daily
WHERE day > toDate(now('UTC')) - 7 AND impressions >= 100
ORDER BY ctr DESC, product_id
LIMIT 10 BY tenant, day;
