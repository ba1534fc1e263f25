/** The verbs that look at topics on the command line. */
import { type Command, Option } from 'commander'
import { collect, fromWhereArgument, positiveArgument } from './arguments.ts'
import type { InitOptions, TapOptions } from './options.ts'
import { type Done, verb, verbThatAsks } from './verb.ts'

/** How many records of a topic are looked at. */
const SAMPLE_RECORDS = 500

const INIT_EXAMPLE = `ctr init
ctr init --brokers kafka-0:9092,kafka-1:9092 --topic shop-events --print
ctr init --set kafka.security.protocol=SASL_SSL --set kafka.security.sasl.mechanism=SCRAM-SHA-512 \\
      --set kafka.security.sasl.username=me --set kafka.security.sasl.password=secret`

const INIT_HELP = `
Looks at the last records of the topics that there are, says what they hold, and writes a ctr.yaml that counts them, with
.env.example for its variables and .ctr/ctr.schema.json for editors. It reads without a group and writes nothing to Kafka.

Of values in Avro and Protobuf it reads what they hold by the schemas that they name, from the registry; of JSON Schema it needs none.
Without --topic it takes the topics that look like impressions or clicks; on a terminal it asks before it writes.
Exit codes: 0 written, or printed; 1 nothing that can be counted, or no broker; 2 wrong usage, or a file is there already.`

/** Adds `ctr init`. */
export function addInit(program: Command, done: Done): void {
  const description = 'Look at your topics and write the ctr.yaml that counts them.'
  verbThatAsks(program, 'init', description, INIT_EXAMPLE)
    .option('--brokers <list>', 'brokers, comma-separated; instead of kafka.brokers')
    .option('--schema-registry <url>', 'where schemas are that records name; instead of schemaRegistry.url, and of http://localhost:8081')
    .option('--topic <name>', 'look at this topic, and take it; may be repeated', collect)
    .option('--sample <n>', 'how many of its last records are looked at', positiveArgument, SAMPLE_RECORDS)
    .option('--print', 'print the configuration and write nothing')
    .option('--yes', 'ask nothing, also on a terminal')
    .option('--force', 'overwrite files that are there')
    .option('--output <file>', 'where the configuration is written', './ctr.yaml')
    .addHelpText('after', INIT_HELP)
    .action(async (options: InitOptions) => {
      const { initVerb } = await import('./init.ts')
      done(await initVerb(options))
    })
}

const TAP_EXAMPLE = `ctr tap
ctr tap --topic clicks --from earliest --limit 20
ctr tap --invalid --from -10000
ctr tap --json | jq 'select(.verdict == "invalid") | .reason'`

const TAP_HELP = `
Shows what the engine makes of each record with this configuration, as they come: counted, late, ignored or invalid, and at an invalid
one the byte at fault. Whether a record is late is judged by those before it that were read here; a run that has read more may know better.
It joins no group and commits nothing, so no pipeline notices. What may tell a person is masked unless --show-users,
and of values in Avro and Protobuf only their size is shown.`

/** Adds `ctr tap`. */
export function addTap(program: Command, done: Done): void {
  verb(program, 'tap', 'Watch the records of your topics, each with what the engine makes of it.', TAP_EXAMPLE)
    .option('--topic <name>', 'of kafka.topics only this one; may be repeated', collect)
    .option('--invalid', 'only what is invalid')
    .option('--late', 'only what is late')
    .option('--ignored', 'only what is ignored')
    .option('--limit <n>', 'end after so many', positiveArgument)
    .addOption(new Option('--from <where>', 'latest, earliest, a time, or -N for the last N records').argParser(fromWhereArgument))
    .option('--show-users', 'mask nothing')
    .option('--json', 'a JSON object for each line; so it is without a terminal')
    .addHelpText('after', TAP_HELP)
    .action(async (options: TapOptions) => {
      const { tapVerb } = await import('./tap.ts')
      done(await tapVerb(options))
    })
}
