-- Two runs of one input, of which the second has ended and counts; one that has not ended; one of another tenant.
INSERT INTO `ctr`.ctr_inputs (tenant, number, run, name, bytes, hash, ended, at) VALUES
  ('one', 1073741824, 'a', 'june', 0, '', 0, '2024-01-02 04:00:00.000'),
  ('one', 1073741824, 'a', 'june', 900, 'aa', 1, '2024-01-02 04:00:09.000'),
  ('one', 1073741825, 'b', 'june', 0, '', 0, '2024-01-02 05:00:00.000'),
  ('one', 1073741825, 'b', 'june', 901, 'bb', 1, '2024-01-02 05:00:09.000'),
  ('one', 1073741826, 'c', 'july', 0, '', 0, '2024-01-02 06:00:00.000'),
  ('two', 1073741827, 'd', 'june', 0, '', 0, '2024-01-02 07:00:00.000'),
  ('two', 1073741827, 'd', 'june', 77, 'dd', 1, '2024-01-02 07:00:09.000');

-- Windows of 10 s. `a` is of two tasks, grown, sent again and stale; `b` has a higher revision with fewer events, by another task; `c` only
-- clicks; `d` is of inputs.
INSERT INTO `ctr`.ctr_results (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at, inserted_at) VALUES
  ('one', 'a', '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 0, 10, 1, 0.1, 11, '2024-01-02 03:04:11.000', '2024-01-02 03:04:12.000'),
  ('one', 'a', '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 1, 5, 2, 0.4, 7, '2024-01-02 03:04:11.000', '2024-01-02 03:04:12.000'),
  ('one', 'a', '2024-01-02 03:04:10.000', '2024-01-02 03:04:20.000', 0, 8, 0, 0, 8, '2024-01-02 03:04:21.000', '2024-01-02 03:04:22.000'),
  ('one', 'a', '2024-01-02 23:59:50.000', '2024-01-03 00:00:00.000', 0, 2, 1, 0.5, 3, '2024-01-03 00:00:01.000', '2024-01-03 00:00:02.000'),
  ('one', 'b', '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 0, 1000, 100, 0.1, 1100, '2024-01-02 03:04:11.000', '2024-01-02 03:04:12.000'),
  ('one', 'c', '2024-01-02 03:05:00.000', '2024-01-02 03:05:10.000', 2, 0, 3, 0, 3, '2024-01-02 03:05:11.000', '2024-01-02 03:05:12.000'),
  ('two', 'a', '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 0, 1, 1, 1, 2, '2024-01-02 03:04:11.000', '2024-01-02 03:04:12.000');
INSERT INTO `ctr`.ctr_results (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at, inserted_at) VALUES
  ('one', 'a', '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 0, 12, 2, 0.16666666666666666, 14, '2024-01-02 03:04:13.000', '2024-01-02 03:04:14.000'),
  ('one', 'a', '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 1, 5, 2, 0.4, 7, '2024-01-02 03:04:13.000', '2024-01-02 03:04:14.000'),
  ('one', 'b', '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 3, 4, 1, 0.25, 1099511627781, '2024-01-05 03:04:11.000', '2024-01-05 03:04:12.000'),
  ('one', 'd', '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 1073741824, 50, 0, 0, 50, '2024-01-02 04:00:01.000', '2024-01-02 04:00:02.000'),
  ('one', 'd', '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 1073741825, 60, 6, 0.1, 66, '2024-01-02 05:00:01.000', '2024-01-02 05:00:02.000'),
  ('one', 'd', '2024-01-02 03:04:20.000', '2024-01-02 03:04:30.000', 1073741824, 9, 0, 0, 9, '2024-01-02 04:00:01.000', '2024-01-02 04:00:02.000'),
  ('one', 'e', '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 1073741826, 70, 7, 0.1, 77, '2024-01-02 06:00:01.000', '2024-01-02 06:00:02.000'),
  ('two', 'f', '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 1073741827, 80, 8, 0.1, 88, '2024-01-02 07:00:01.000', '2024-01-02 07:00:02.000');
INSERT INTO `ctr`.ctr_results (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at, inserted_at) VALUES
  ('one', 'a', '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 0, 10, 1, 0.1, 11, '2024-01-02 03:04:15.000', '2024-01-02 03:04:16.000');

-- Ten thousand rows more: of the last two hours, of the last four days, and of two days a year of twenty years; some of them late, or sent again.
INSERT INTO `ctr`.ctr_results (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at, inserted_at)
  SELECT if(number % 7 = 0, 'two', 'one'), concat('p', toString(cityHash64(number) % 200)),
    toDateTime64(intDiv(toUnixTimestamp(now()) - multiIf(number % 3 = 0, cityHash64(number, 1) % 7200, number % 3 = 1, cityHash64(number, 1) % 345600,
      (number % 40) * 15552000), 10) * 10, 3, 'UTC') AS start, start + INTERVAL 10 SECOND,
    number % 4, cityHash64(number, 2) % 100 AS i, intDiv(i, 9) AS c, if(i = 0, 0, c / i), if(number % 11 = 0, 1099511627776, 0) + i + c,
    start + INTERVAL 11 SECOND, if(number % 13 = 0, now64(3) - INTERVAL 1 HOUR, start + INTERVAL 12 SECOND)
  FROM numbers(10000) SETTINGS max_partitions_per_insert_block = 0;
INSERT INTO `ctr`.ctr_results (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at, inserted_at)
  SELECT tenant, product_id, window_start, window_end, task, r.impressions + 1, r.clicks, 0, r.version + 1, emitted_at, inserted_at + INTERVAL 1 SECOND
  FROM `ctr`.ctr_results AS r WHERE product_id LIKE 'p1%' SETTINGS max_partitions_per_insert_block = 0;

-- Totals of three partitions, one of them an input's; of one nothing was invalid.
INSERT INTO `ctr`.ctr_ledger (tenant, topic, partition, first_offset, last_offset, read, counted, late, invalid, dead_lettered, invalid_by_reason, max_event_time, cut_at) VALUES
  ('one', 'views', 0, 0, 99, 100, 97, 2, 1, 1, {'NOT_JSON': 1}, '2024-01-02 03:04:09.000', '2024-01-02 03:04:20.000'),
  ('one', 'views', 0, 0, 199, 200, 190, 5, 5, 5, {'NOT_JSON': 2, 'EMPTY': 3}, '2024-01-02 03:05:09.000', '2024-01-02 03:05:20.000'),
  ('one', 'views', 0, 0, 199, 200, 190, 5, 5, 5, {'NOT_JSON': 2, 'EMPTY': 3}, '2024-01-02 03:05:09.000', '2024-01-02 03:05:21.000'),
  ('one', 'views', 1, 50, 99, 50, 50, 0, 0, 0, {}, '2024-01-02 03:04:19.000', '2024-01-02 03:04:20.000'),
  ('two', 'june', 1073741827, 0, 87, 88, 88, 0, 0, 0, {}, '2024-01-02 03:04:05.000', '2024-01-02 07:00:05.000');
INSERT INTO `ctr`.ctr_ledger (tenant, topic, partition, first_offset, last_offset, read, counted, late, invalid, dead_lettered, invalid_by_reason, max_event_time, cut_at)
  SELECT 'one', 'clicks', number % 2, 0, (intDiv(number, 2) + 1) * 10 - 1 AS last, last + 1, last + 1, 0, 0, 0, map(),
    now64(3) - INTERVAL 8 HOUR + INTERVAL intDiv(number, 2) MINUTE AS at, at + INTERVAL 5 SECOND
  FROM numbers(800);
INSERT INTO `ctr`.ctr_ledger_windows (tenant, task, window_start, window_end, events, version, cut_at) VALUES
  ('one', 0, '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 14, 14, '2024-01-02 03:04:20.000'),
  ('one', 0, '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 11, 11, '2024-01-02 03:04:21.000'),
  ('one', 1, '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 9, 9, '2024-01-02 03:04:20.000'),
  ('two', 1073741827, '2024-01-02 03:04:00.000', '2024-01-02 03:04:10.000', 88, 88, '2024-01-02 07:00:05.000');

-- What minutes and hours there are is computed from them.
INSERT INTO `ctr`.ctr_minutely_computed (tenant, product_id, minute, impressions, clicks, refreshed_at)
  SELECT tenant, product_id, toStartOfMinute(window_start) AS minute, sum(w.impressions), sum(w.clicks), now64(3)
  FROM `ctr`.ctr_windows AS w GROUP BY tenant, product_id, minute SETTINGS max_partitions_per_insert_block = 0;
INSERT INTO `ctr`.ctr_hourly_computed (tenant, product_id, hour, impressions, clicks, refreshed_at)
  SELECT tenant, product_id, toStartOfHour(minute) AS hour, sum(m.impressions), sum(m.clicks), now64(3)
  FROM `ctr`.ctr_minutely AS m GROUP BY tenant, product_id, hour SETTINGS max_partitions_per_insert_block = 0;
INSERT INTO `ctr`.ctr_totals_minutely_computed (tenant, minute, impressions, clicks, refreshed_at)
  SELECT tenant, minute, sum(m.impressions), sum(m.clicks), now64(3)
  FROM `ctr`.ctr_minutely AS m GROUP BY tenant, minute SETTINGS max_partitions_per_insert_block = 0;

-- The book.
INSERT INTO `ctr`.ctr_schema (kind, name, version, writers_from) VALUES ('version', '2', 2, 1);
