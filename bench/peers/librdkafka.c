/*
 * A peer and a limit: a C consumer on librdkafka that only counts records.
 *
 *   librdkafka BROKERS TOPICS EVENTS
 *
 * Reads every partition of the comma-separated TOPICS from its beginning until it has EVENTS records, and prints one JSON line. No
 * group: partitions are assigned by hand, which saves it the rebalance.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define BATCH_MAX 10000
#define TIMEOUT_MS 10000

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value) {
  char reason[512];
  if (rd_kafka_conf_set(conf, key, value, reason, sizeof reason) != RD_KAFKA_CONF_OK) fail(reason);
}

int main(int argc, char **argv) {
  if (argc != 4) fail("usage: librdkafka BROKERS TOPICS EVENTS");
  char reason[512];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", argv[1]);
  set(conf, "group.id", "librdkafka");
  set(conf, "enable.auto.commit", "false");
  set(conf, "auto.offset.reset", "earliest");
  set(conf, "fetch.message.max.bytes", "2097152");
  set(conf, "queued.min.messages", "1000000");
  rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
  if (consumer == NULL) fail(reason);
  rd_kafka_poll_set_consumer(consumer);

  rd_kafka_topic_partition_list_t *assignment = rd_kafka_topic_partition_list_new(16);
  for (char *topic = strtok(argv[2], ","); topic != NULL; topic = strtok(NULL, ",")) {
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(consumer, topic, NULL);
    rd_kafka_resp_err_t error = rd_kafka_metadata(consumer, 0, handle, &metadata, TIMEOUT_MS);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(error));
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
      rd_kafka_topic_partition_list_add(assignment, topic, metadata->topics[0].partitions[i].id)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
  }
  double from = now();
  if (rd_kafka_assign(consumer, assignment) != RD_KAFKA_RESP_ERR_NO_ERROR) fail("the partitions can't be assigned");

  long wanted = atol(argv[3]);
  long events = 0;
  unsigned long bytes = 0;
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
  static rd_kafka_message_t *messages[BATCH_MAX];
  while (events < wanted) {
    ssize_t count = rd_kafka_consume_batch_queue(queue, TIMEOUT_MS, messages, BATCH_MAX);
    if (count <= 0) fail("no more records come");
    for (ssize_t i = 0; i < count; i++) {
      if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        events++;
        bytes += messages[i]->len;
      }
      rd_kafka_message_destroy(messages[i]);
    }
  }
  double seconds = now() - from;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double cpu = usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1e6 + usage.ru_stime.tv_sec + usage.ru_stime.tv_usec / 1e6;
  printf("{\"events\":%ld,\"bytes\":%lu,\"seconds\":%f,\"cpuSeconds\":%f,\"peakRssBytes\":%ld}\n", events, bytes, seconds, cpu,
         usage.ru_maxrss * 1024);
  return 0;
}
