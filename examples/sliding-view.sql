-- Windows of ten minutes that begin every ten seconds, summed up from tumbling windows of ten seconds when they are read. The database is
-- `ctr`, as by default, and window.size is 10s, as by default.
--
--   clickhouse-client --queries-file examples/sliding-view.sql
--
-- For more than 60 windows per event, or for windows that are seldom looked at: nothing is written for them. Say the time that is asked for
-- (WHERE window_start >= … AND window_start < …, both of the ten seconds), or all there is gets summed up.
CREATE OR REPLACE VIEW ctr.ctr_ten_minutes AS
SELECT
  tenant,
  product_id,
  arrayJoin(arrayMap(n -> s.window_end + toIntervalSecond(10 * n), range(60))) AS ends_at,
  sum(s.impressions) AS impressions,
  sum(s.clicks) AS clicks,
  if(sum(s.impressions) = 0, 0, sum(s.clicks) / sum(s.impressions)) AS ctr
FROM ctr.ctr_windows AS s
WHERE s.window = ''
GROUP BY tenant, product_id, ends_at;
