/** The verb `ctr test` on the command line. */
import type { Command } from 'commander'
import type { TestCasesOptions } from './options.ts'
import { type Done, verb } from './verb.ts'

const DETAILS = `
A file of cases:

  cases:
    - name: a click counts in the window of its time
      events:                                # in this order
        - {topic: clicks, value: {product_id: p1, event_type: click, timestamp: "2026-01-01T00:00:03Z"}}
        - {topic: clicks, value: '{"broken', is: NOT_JSON}
      rows:                                  # these and no others, all partitions together
        - {product: p1, window: "2026-01-01T00:00:00Z", impressions: 0, clicks: 1}
      late: 0

An event has a value (text as it is, anything else as JSON, null for none) or base64, and may have a topic (the first of
kafka.topics when not given), a partition, and the time of its record. \`is\` says what becomes of it: counted, late, ignored,
invalid, or a reason (ctr explain reasons). A case may give rows, counted, late, ignored and invalid (a number, or numbers by
reason); what it does not give is not looked at. A partition knows no time before its first eight events, so that none is late
by them, unless the case says the time of the newest event before: \`after\`. Every window is closed at the end of its case.
The engine itself does it, in this process, with the configuration's formats, rules and windows; it needs no broker and no
ClickHouse, and touches neither. Values of Avro and Protobuf need the schema registry, unless kafka.topics[].schemaFile has their
schema; one that does not come within some 30 s is an error. Exits 0 when all cases hold, 1 when one does not, 2 when a file is no
file of cases.
`

/** Adds it; `done` takes the exit code. */
export function addTest(program: Command, done: Done): void {
  const description = 'Try cases of your own on a configuration: given these events, these rows, late, invalid, ignored.'
  verb(program, 'test', description, 'ctr test cases.yaml\nctr test --config ctr.yaml cases/*.yaml --only late')
    .argument('<files...>', 'of cases, YAML')
    .option('--only <text>', 'cases with this in their name')
    .option('--json', 'in JSON')
    .addHelpText('after', DETAILS)
    .action(async (files: string[], options: TestCasesOptions) => {
      const { testVerb } = await import('./test.ts')
      done(await testVerb(files, options))
    })
}
