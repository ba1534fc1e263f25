/** The options of `ctr load`. */
import { type Command, Option } from 'commander'
import { parseSize } from '../config/units.ts'
import { countArgument, durationArgument, positiveArgument, shareArgument, sizeArgument, timeArgument } from './arguments.ts'

/** Adds load's own options to its command. */
export function addLoadOptions(command: Command): Command {
  return command
    .option('--brokers <list>', 'brokers, comma-separated; instead of kafka.brokers')
    .option('--rate <n>', 'events per second; 0 is as fast as it goes', countArgument, 0)
    .option('--duration <time>', 'end after this time', durationArgument)
    .option('--count <n>', 'end after this many events', positiveArgument)
    .option('--products <n>', 'how many products', positiveArgument, 1000)
    .option('--partitions <n>', 'partitions of a topic that is created', positiveArgument, 4)
    .option('--topics <list>', 'topics, comma-separated; instead of kafka.topics')
    .option('--late <share>', 'share of late events', shareArgument, 0)
    .option('--invalid <share>', 'share of invalid events', shareArgument, 0)
    .option('--disorder <time>', 'how much older than the newest an event may be', durationArgument, 2000)
    .addOption(new Option('--codec <name>', 'compression').choices(['none', 'gzip', 'snappy', 'lz4', 'zstd']).default('none'))
    .option('--seed <n>', 'the same seed makes the same events', countArgument, 1)
    .option('--batch-bytes <size>', 'size of a record batch', sizeArgument, parseSize('256KiB'))
    .option('--start-time <time>', 'time of the first event, ISO-8601 or ms since the epoch; without it now', timeArgument)
}
