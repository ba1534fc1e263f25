import com.fasterxml.jackson.annotation.JsonAlias;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.Stores;

/**
 * A peer: the same work as a Kafka Streams application. Two stream threads, a windowed aggregation with grace over a cached in-memory
 * store with its changelog topic, Jackson's data binding.
 *
 *   StreamsPeer BROKERS TOPICS GROUP EVENTS FOLDER
 *
 * BROKERS and TOPICS are comma-separated; EVENTS is how many records the topics hold, FOLDER takes rows.jsonl and the state directory.
 * Ends when it has read EVENTS records, and prints one JSON line.
 *
 * A window counts an event until its grace is over by the newest event of its task; out-of-orderness and allowed lateness together.
 */
public final class StreamsPeer {
  private static final Duration WINDOW = Duration.ofSeconds(10);
  private static final Duration GRACE = Duration.ofSeconds(10);
  private static final Duration RETENTION = Duration.ofMinutes(1);
  private static final Duration COMMIT_INTERVAL = Duration.ofSeconds(10);
  private static final int THREADS = 2;
  private static final int COUNTS_BYTES = 16;

  private static final LongAdder read = new LongAdder();
  private static final LongAdder invalid = new LongAdder();
  private static volatile long readyAt;

  /** The newest value of every window. */
  private static final Map<Key, Row> rows = new ConcurrentHashMap<>();

  private record Key(String product, long windowStart) {}

  private record Row(String product, long windowStart, long windowEnd, int task, long impressions, long clicks) {}

  private record Event(boolean click, long time) {}

  private record Counts(long impressions, long clicks) {}

  /** An event as it is in Kafka; the key is the product too. */
  public static class Wire {
    @JsonAlias("product_id") public String productId;
    @JsonAlias("user_id") public String userId;
    @JsonAlias("event_type") public String eventType;
    public Long timestamp;
  }

  private static final ObjectReader READER =
      new ObjectMapper().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).readerFor(Wire.class);

  /** null for what is no event. */
  private static Event decode(String topic, byte[] value) {
    read.increment();
    Event event = valid(value);
    if (event == null) invalid.increment();
    return event;
  }

  private static Event valid(byte[] value) {
    if (value == null) return null;
    Wire wire;
    try {
      wire = READER.readValue(value);
    } catch (IOException notAnEvent) {
      return null;
    }
    if (wire.productId == null || wire.productId.isEmpty() || wire.userId == null || wire.userId.isEmpty()) return null;
    if (wire.eventType == null || wire.timestamp == null || wire.timestamp <= 0) return null;
    boolean click = wire.eventType.equals("click");
    if (!click && !wire.eventType.equals("impression") && !wire.eventType.equals("view")) return null;
    return new Event(click, wire.timestamp);
  }

  private static byte[] encodeCounts(String topic, Counts counts) {
    return counts == null ? null : ByteBuffer.allocate(COUNTS_BYTES).putLong(counts.impressions).putLong(counts.clicks).array();
  }

  private static Counts decodeCounts(String topic, byte[] bytes) {
    if (bytes == null) return null;
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    return new Counts(buffer.getLong(), buffer.getLong());
  }

  private static final class Keep implements Processor<Windowed<String>, Counts, Void, Void> {
    private int task;

    @Override
    public void init(ProcessorContext<Void, Void> context) {
      task = context.taskId().partition();
    }

    @Override
    public void process(Record<Windowed<String>, Counts> record) {
      Windowed<String> key = record.key();
      Counts counts = record.value();
      long start = key.window().start();
      rows.put(new Key(key.key(), start), new Row(key.key(), start, key.window().end(), task, counts.impressions, counts.clicks));
    }
  }

  public static void main(String[] args) throws Exception {
    String folder = args[4];
    Progress progress = new Progress(read, Long.parseLong(args[3]));
    progress.start();

    Serde<Event> events = Serdes.serdeFrom((topic, event) -> null, StreamsPeer::decode);
    Serde<Counts> counts = Serdes.serdeFrom(StreamsPeer::encodeCounts, StreamsPeer::decodeCounts);
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(
            List.of(args[1].split(",")),
            Consumed.with(Serdes.String(), events)
                .withTimestampExtractor((record, last) -> record.value() instanceof Event event ? event.time : Math.max(last, 0)))
        .filter((product, event) -> event != null)
        .groupByKey(Grouped.with(Serdes.String(), events))
        .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
        .aggregate(
            () -> new Counts(0, 0),
            (product, event, before) ->
                event.click ? new Counts(before.impressions, before.clicks + 1) : new Counts(before.impressions + 1, before.clicks),
            Materialized.<String, Counts>as(Stores.inMemoryWindowStore("counts", RETENTION, WINDOW, false))
                .withKeySerde(Serdes.String())
                .withValueSerde(counts)
                .withCachingEnabled())
        .toStream()
        .process(Keep::new);

    Properties properties = new Properties();
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, args[2]);
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, THREADS);
    properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, COMMIT_INTERVAL.toMillis());
    properties.put(StreamsConfig.STATE_DIR_CONFIG, Path.of(folder, "state").toString());
    properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 2 << 20);
    KafkaStreams streams = new KafkaStreams(builder.build(), properties);
    streams.setStateListener(
        (state, before) -> {
          if (state == KafkaStreams.State.RUNNING && readyAt == 0) readyAt = System.nanoTime();
          if (state == KafkaStreams.State.ERROR) System.exit(1);
        });
    streams.start();
    progress.join();
    // Flushes the caches; the last values of all windows come out.
    if (!streams.close(Duration.ofSeconds(60))) throw new IllegalStateException("Kafka Streams does not close");

    ObjectMapper json = new ObjectMapper();
    try (BufferedWriter writer = Files.newBufferedWriter(Path.of(folder, "rows.jsonl"))) {
      for (Row row : rows.values()) {
        writer.write(json.writeValueAsString(row));
        writer.write('\n');
      }
    }
    long counted = rows.values().stream().mapToLong(row -> row.impressions + row.clicks).sum();
    progress.print(readyAt, read.sum() - invalid.sum() - counted, invalid.sum());
    System.exit(0);
  }

  /** Looks how far it has come, every few milliseconds, from a thread of its own. */
  private static final class Progress extends Thread {
    private static final int PERIOD_MS = 5;
    private final LongAdder read;
    private final long events;
    private volatile long halfAt;
    private volatile double halfCpuSeconds;
    private volatile long endAt;
    private volatile double endCpuSeconds;

    Progress(LongAdder read, long events) {
      this.read = read;
      this.events = events;
      setDaemon(true);
    }

    @Override
    public void run() {
      while (endAt == 0) {
        long count = read.sum();
        if (halfAt == 0 && count >= events / 2) {
          halfCpuSeconds = cpuSeconds();
          halfAt = System.nanoTime();
        }
        if (count >= events) {
          endCpuSeconds = cpuSeconds();
          endAt = System.nanoTime();
        }
        try {
          Thread.sleep(PERIOD_MS);
        } catch (InterruptedException interrupted) {
          return;
        }
      }
    }

    void print(long readyAt, long late, long invalid) throws Exception {
      join(1000);
      double seconds = (endAt - readyAt) / 1e9;
      double secondHalfSeconds = (endAt - halfAt) / 1e9;
      System.out.printf(
          "{\"events\":%d,\"late\":%d,\"invalid\":%d,\"seconds\":%s,\"secondHalfSeconds\":%s,\"secondHalfCpuSeconds\":%s,"
              + "\"cpuSeconds\":%s,\"peakRssBytes\":%d}%n",
          read.sum(), late, invalid, seconds, secondHalfSeconds, endCpuSeconds - halfCpuSeconds, cpuSeconds(), peakRssBytes());
    }

    private static double cpuSeconds() {
      return ProcessHandle.current().info().totalCpuDuration().orElseThrow().toNanos() / 1e9;
    }

    private static long peakRssBytes() throws IOException {
      for (String line : Files.readAllLines(Path.of("/proc/self/status")))
        if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
      return 0;
    }
  }
}
