import com.fasterxml.jackson.annotation.JsonAlias;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * A peer: the same work as a Flink DataStream job on a MiniCluster in this process. Parallelism 2, checkpoints every 10 s to files,
 * state on the heap, Jackson's data binding.
 *
 *   FlinkPeer BROKERS TOPICS GROUP EVENTS FOLDER
 *
 * BROKERS and TOPICS are comma-separated; EVENTS is how many records the topics hold, FOLDER takes rows-N.jsonl and the checkpoints.
 * Reads to the present end offsets and prints one JSON line.
 */
public final class FlinkPeer {
  private static final Duration WINDOW = Duration.ofSeconds(10);
  private static final Duration OUT_OF_ORDERNESS = Duration.ofSeconds(5);
  private static final Duration ALLOWED_LATENESS = Duration.ofSeconds(5);
  private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(10);
  private static final int PARALLELISM = 2;
  private static final OutputTag<Event> LATE = new OutputTag<>("late", TypeInformation.of(Event.class));

  private static final LongAdder read = new LongAdder();
  private static final LongAdder late = new LongAdder();
  private static final LongAdder invalid = new LongAdder();
  /** When the first source reader was there, System.nanoTime(). */
  private static volatile long readyAt;

  /** An event as it is in Kafka. */
  public static class Wire {
    @JsonAlias("product_id") public String productId;
    @JsonAlias("user_id") public String userId;
    @JsonAlias("event_type") public String eventType;
    public Long timestamp;
  }

  public static class Event {
    public String product;
    public boolean click;
    public long time;
    public int partition;
  }

  public static class Counts {
    public long impressions;
    public long clicks;
    public int partition;
  }

  public static class Row {
    public String product;
    public long windowStart;
    public long windowEnd;
    public int task;
    public long impressions;
    public long clicks;
  }

  private static class Decoder implements KafkaRecordDeserializationSchema<Event> {
    private transient ObjectReader reader;

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
      reader = new ObjectMapper().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).readerFor(Wire.class);
      synchronized (FlinkPeer.class) {
        if (readyAt == 0) readyAt = System.nanoTime();
      }
    }

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Event> out) {
      read.increment();
      Event event = decode(record);
      if (event == null) invalid.increment();
      else out.collect(event);
    }

    private Event decode(ConsumerRecord<byte[], byte[]> record) {
      if (record.value() == null) return null;
      Wire wire;
      try {
        wire = reader.readValue(record.value());
      } catch (IOException notAnEvent) {
        return null;
      }
      if (wire.productId == null || wire.productId.isEmpty() || wire.userId == null || wire.userId.isEmpty()) return null;
      if (wire.eventType == null || wire.timestamp == null || wire.timestamp <= 0) return null;
      boolean click = wire.eventType.equals("click");
      if (!click && !wire.eventType.equals("impression") && !wire.eventType.equals("view")) return null;
      Event event = new Event();
      event.product = wire.productId;
      event.click = click;
      event.time = wire.timestamp;
      event.partition = record.partition();
      return event;
    }

    @Override
    public TypeInformation<Event> getProducedType() {
      return TypeInformation.of(Event.class);
    }
  }

  private static class Count implements AggregateFunction<Event, Counts, Counts> {
    @Override
    public Counts createAccumulator() {
      return new Counts();
    }

    @Override
    public Counts add(Event event, Counts counts) {
      if (event.click) counts.clicks++;
      else counts.impressions++;
      counts.partition = event.partition;
      return counts;
    }

    @Override
    public Counts getResult(Counts counts) {
      return counts;
    }

    @Override
    public Counts merge(Counts a, Counts b) {
      a.impressions += b.impressions;
      a.clicks += b.clicks;
      return a;
    }
  }

  private static class ToRow extends ProcessWindowFunction<Counts, Row, String, TimeWindow> {
    @Override
    public void process(String product, Context context, Iterable<Counts> counted, Collector<Row> out) {
      Counts counts = counted.iterator().next();
      Row row = new Row();
      row.product = product;
      row.windowStart = context.window().getStart();
      row.windowEnd = context.window().getEnd();
      row.task = counts.partition;
      row.impressions = counts.impressions;
      row.clicks = counts.clicks;
      out.collect(row);
    }
  }

  /** JSON lines, a file per subtask. */
  private record RowFiles(String folder) implements Sink<Row> {
    @Override
    public SinkWriter<Row> createWriter(WriterInitContext context) throws IOException {
      Path file = Path.of(folder, "rows-" + context.getTaskInfo().getIndexOfThisSubtask() + ".jsonl");
      BufferedWriter writer = Files.newBufferedWriter(file);
      ObjectMapper json = new ObjectMapper();
      return new SinkWriter<>() {
        @Override
        public void write(Row row, Context context) throws IOException {
          writer.write(json.writeValueAsString(row));
          writer.write('\n');
        }

        @Override
        public void flush(boolean endOfInput) throws IOException {
          writer.flush();
        }

        @Override
        public void close() throws IOException {
          writer.close();
        }
      };
    }
  }

  private record LateCount() implements Sink<Event> {
    @Override
    public SinkWriter<Event> createWriter(WriterInitContext context) {
      return new SinkWriter<>() {
        @Override
        public void write(Event event, Context context) {
          late.increment();
        }

        @Override
        public void flush(boolean endOfInput) {}

        @Override
        public void close() {}
      };
    }
  }

  public static void main(String[] args) throws Exception {
    String folder = args[4];
    Progress progress = new Progress(read, Long.parseLong(args[3]));
    progress.start();

    Configuration configuration = new Configuration();
    configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, Path.of(folder, "checkpoints").toUri().toString());
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(PARALLELISM, configuration);
    environment.enableCheckpointing(CHECKPOINT_INTERVAL.toMillis());
    environment.getConfig().enableObjectReuse();
    KafkaSource<Event> source =
        KafkaSource.<Event>builder()
            .setBootstrapServers(args[0])
            .setTopics(List.of(args[1].split(",")))
            .setGroupId(args[2])
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setBounded(OffsetsInitializer.latest())
            .setProperty("max.partition.fetch.bytes", String.valueOf(2 << 20))
            .setDeserializer(new Decoder())
            .build();
    WatermarkStrategy<Event> watermarks =
        WatermarkStrategy.<Event>forBoundedOutOfOrderness(OUT_OF_ORDERNESS).withTimestampAssigner((event, recordTime) -> event.time);
    SingleOutputStreamOperator<Row> rows =
        environment
            .fromSource(source, watermarks, "events")
            .keyBy(event -> event.product)
            .window(TumblingEventTimeWindows.of(WINDOW))
            .allowedLateness(ALLOWED_LATENESS)
            .sideOutputLateData(LATE)
            .aggregate(new Count(), new ToRow());
    rows.sinkTo(new RowFiles(folder));
    rows.getSideOutput(LATE).sinkTo(new LateCount());
    environment.execute("ctr");

    progress.print(readyAt, late.sum(), invalid.sum());
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
