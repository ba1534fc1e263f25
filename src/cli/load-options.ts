/** The options of `ctr load`, and its profiles. */
import { type Command, Option } from 'commander'
import { CODEC_NAMES } from '../batch/codec.ts'
import { parseSize } from '../config/units.ts'
import { LOAD_ENVELOPES, PLAIN_SHAPE } from '../load/event-shape.ts'
import {
  countArgument,
  durationArgument,
  fieldsArgument,
  positiveArgument,
  shareArgument,
  sizeArgument,
  skewArgument,
  timeArgument,
  typesArgument,
} from './arguments.ts'
import { NO_VIEW_HELP } from './verb.ts'

/** Loads by name: events per second, and products in proportion. */
export const LOAD_PROFILES: Readonly<Record<string, { readonly rate: number; readonly products: number }>> = {
  '1k': { rate: 1_000, products: 100 },
  '10k': { rate: 10_000, products: 1_000 },
  '100k': { rate: 100_000, products: 10_000 },
  '1m': { rate: 1_000_000, products: 100_000 },
}

/** Adds load's own options to its command. */
export function addLoadOptions(command: Command): Command {
  const choice = (flags: string, description: string, choices: readonly string[]) => new Option(flags, description).choices([...choices])
  return command
    .option('--brokers <list>', 'brokers, comma-separated; instead of kafka.brokers')
    .addOption(choice('--profile <name>', 'rate and number of products, unless they are given', Object.keys(LOAD_PROFILES)))
    .option('--rate <n>', 'events per second; 0 is as fast as it goes (default: 0)', countArgument)
    .option('--duration <time>', 'end after this time', durationArgument)
    .option('--count <n>', 'end after this many events', positiveArgument)
    .option('--products <n>', 'how many products (default: 1000)', positiveArgument)
    .option('--new-products <n>', 'so many more come per minute, each in place of the oldest', countArgument, 0)
    .addOption(choice('--popularity <kind>', 'how products are drawn', ['zipf', 'uniform']).default('zipf'))
    .option('--skew <n>', 'exponent of zipf', skewArgument, 1)
    .option('--users <n>', 'how many users', positiveArgument, 100_000)
    .option('--partitions <n>', 'partitions of a topic that is created', positiveArgument, 4)
    .option('--topics <list>', 'topics, comma-separated; instead of kafka.topics')
    .option('--clicks <share>', 'share of clicks', shareArgument, 0.2)
    .option('--disorder <time>', 'how much older than the newest an event may be', durationArgument, 2000)
    .option('--late <share>', 'share of late events', shareArgument, 0)
    .option('--late-by <time>', 'late events are older by this to twice this', durationArgument, 60_000)
    .option('--invalid <share>', 'share of invalid events', shareArgument, 0)
    .option('--duplicates <share>', 'share of events that repeat the one before them', shareArgument, 0)
    .addOption(choice('--keys <spelling>', 'product_id, productId, or both', ['snake', 'camel', 'mixed']).default('snake'))
    .addOption(choice('--user-ids <shape>', 'what user ids look like', ['number', 'uuid', 'email']).default('number'))
    .option('--event-bytes <size>', 'pad events to this size with a key that nobody knows', sizeArgument, 0)
    .addOption(
      choice('--format <name>', 'how values are encoded; others than json are registered at schemaRegistry.url', [
        'json',
        'avro',
        'json-schema',
        'protobuf',
      ]).default('json'),
    )
    .addOption(choice('--envelope <name>', 'what wraps the events, as events.envelope reads it', LOAD_ENVELOPES).default('none'))
    .option('--fields <list>', 'where values are: product=data.sku,time=at; of id, user, product, type, time and session', fieldsArgument)
    .addOption(
      new Option('--types <impression,click>', 'what the types are called')
        .argParser(typesArgument)
        .default(PLAIN_SHAPE.types, PLAIN_SHAPE.types.join(',')),
    )
    .addOption(choice('--codec <name>', 'compression', CODEC_NAMES).default('none'))
    .option('--seed <n>', 'the same seed makes the same events', countArgument, 1)
    .option('--batch-bytes <size>', 'size of a record batch', sizeArgument, parseSize('512KiB'))
    .option('--threads <n>', 'threads that make events; without it as many as the rate takes', positiveArgument)
    .option('--start-time <time>', 'time of the first event, ISO-8601 or ms since the epoch; without it now', timeArgument)
    .option('--no-view', NO_VIEW_HELP)
}
