/** Mistakes that are found without any server; a new one is a row. Those that take a server are in test/integration/mistakes.test.ts. */
import { expect, test } from 'vitest'
import { expectMistake, type Mistake, runIn } from '../support/mistakes.ts'

const MISTAKES: readonly Mistake[] = [
  // The command line.
  { what: 'a verb is misspelt', line: 'rnu', says: ["unknown command 'rnu'", 'Did you mean run?'] },
  { what: 'an option is misspelt', line: 'run --until-ende', says: ["unknown option '--until-ende'", 'Did you mean --until-end?'] },
  { what: 'a duration has no unit', line: 'demo --duration 5', says: ['--duration', "'5'", 'Write 5s or 5ms.'] },
  { what: 'a limit on a query has no unit', line: 'query --timeout 10 x', says: ['--timeout', "'10'", 'Write 10s or 10ms.'] },
  { what: 'a time is in seconds', line: 'run --reset 1738324800', says: ['--reset', '2025-01-31T12:00:00Z', '1970-01-21T02:52:04.800Z'] },
  { what: 'a rate is a word', line: 'load --rate fast', says: ['--rate', "'fast'", '100k'] },
  { what: 'a share is over 100 %', line: 'run --max-late 120%', says: ['--max-late', "'120%'", '5%'] },
  { what: 'two files are given', line: 'run a.yaml --config b.yaml', says: ['a.yaml', '--config b.yaml', 'leave one of them out'] },
  { what: 'three files are compared', line: 'config diff a b c', says: ['ctr config diff a b c', 'at most 2 files'] },
  { what: 'one file is compared', line: 'config diff a.yaml', says: ['needs two files', 'old.yaml new.yaml'] },
  { what: 'what to start from is a name alone', line: 'run --from stop', says: ['--from', 'savepoint:NAME'] },
  { what: 'two places to begin', line: 'run --reset earliest --from none', says: ['--reset and --from exclude each other'] },
  { what: 'a shell that is not known', line: 'completion tcsh', says: ["'tcsh'", 'bash, zsh, fish'] },
  { what: 'a value for an option that takes none', line: 'run --until-end=3', says: ["'--until-end=3'", 'Did you mean --until-end?'] },
  { what: 'a profile that is not there', line: 'load --profile 5k', says: ['--profile', "'5k'", '1k, 10k, 100k, 1m'] },
  { what: 'three topics to load', line: 'load --topics a,b,c --count 1', says: ['a, b, c', 'one topic, or to two', '--topics'] },
  { what: 'more pods than there may be', line: 'selftest --pods 9', says: ['--pods 9', 'at most 3'] },
  { what: 'a name with a space', line: 'savepoint create "my own" --http.port=1', says: ['"my own"', 'up to 100 of A-Z'] },
  { what: 'a savepoint that is not there', line: 'savepoint delete gone --http.port=1', says: ['no savepoint gone', 'ctr savepoint list'] },
  { what: 'a code that is misspelt', line: 'explain CTR_KAFKA_AUHT', says: ['CTR_KAFKA_AUHT', 'did you mean CTR_KAFKA_AUTH'] },
  { what: 'one side of a comparison', line: 'compare --a ctr', says: ["required option '--b <side>'"] },
  { what: 'a side that is no file', line: 'compare --a blue.yaml --b ctr', says: ['--a blue.yaml', 'no such file'] },
  { what: 'readers are sent two ways', line: 'schema switch --to x --back', says: ['--to, --back and --settle exclude each other'] },
  { what: 'a reason that is misspelt', line: 'letters list --reason TIPE', says: ['--reason TIPE', 'TYPE', 'ctr explain reasons'] },
  { what: 'a place that is none', line: 'letters show first', says: ["'first'", '0/17'] },
  { what: 'a rate to plan for is missing', line: 'plan --products 1k', says: ["required option '--rate <events>'"] },
  {
    what: 'a file that holds no cases',
    line: 'test a.yaml',
    files: { 'a.yaml': 'kafka: {}' },
    says: ['a.yaml is no file of cases', 'kafka'],
  },
  { what: 'a file of events that is not there', line: 'replay gone.jsonl', code: 1, says: ["can't read gone.jsonl", 'no such file'] },
  {
    what: 'times of records, of which lines have none',
    line: 'replay a.jsonl --set events.time.source=record',
    files: { 'a.jsonl': '' },
    says: ['events.time.source is record', '--set events.time.source=field'],
  },
  {
    what: 'a folder of events',
    line: 'replay sub',
    files: { 'sub/a.jsonl': '' },
    code: 1,
    says: ['sub is a directory', 'name the files in it'],
  },

  // Statements.
  { what: '-f was a format once', line: 'query -f CSV "SELECT 1"', says: ['--file CSV and a statement are given', '--format CSV'] },
  { what: 'a file of statements does not exist', line: 'query -f nowhere.sql', says: ['--file nowhere.sql does not exist', '- for stdin'] },
  {
    what: 'a file of statements holds none',
    line: 'query -f empty.sql',
    files: { 'empty.sql': '-- later' },
    says: ['empty.sql is empty', 'SELECT * FROM ctr_latest'],
  },
  {
    what: 'a demo on a server',
    line: 'demo --clickhouse.url=http://h:8123',
    says: ['ctr demo', 'to no server', 'leave clickhouse.url out', 'ctr load'],
  },

  // Schemas.
  {
    what: 'Avro without a registry',
    line: 'config check ctr.yaml',
    files: { 'ctr.yaml': 'kafka: { topics: [{ name: clicks, format: avro }] }' },
    says: ['schemaRegistry.url is missing', 'clicks is avro', 'kafka.topics[].schemaFile'],
  },
  {
    what: 'a password in the address of the registry',
    line: 'config check --schemaRegistry.url=http://me:secret@registry:8081',
    says: ['schemaRegistry.url', 'keys of their own'],
  },

  // Which configuration.
  { what: 'the file does not exist', line: 'run nowhere.yaml', says: ['nowhere.yaml does not exist', 'give --config the path'] },
  {
    what: 'the variable names a file that does not exist',
    line: 'config check',
    env: { CTR_CONFIG: 'nowhere.yaml' },
    says: ['CTR_CONFIG names nowhere.yaml, which does not exist', 'unset it'],
  },
  {
    what: 'what is wrong is in the file that is found',
    line: 'run',
    files: { 'ctr.yaml': 'tenant: a\nwindow: { size: 10 }\n' },
    says: ['configuration ./ctr.yaml: 1 fault', 'window.size has no unit, got 10 (line 2); write 10s or 10ms'],
  },
  { what: 'the file is a folder', line: 'config check sub', files: { 'sub/x': '' }, says: ["sub can't be read"] },

  // Keys.
  { what: 'a key has no value', line: 'config check --window.size', says: ['--window.size has no value', '--window.size=value'] },
  { what: 'a key is misspelt', line: 'config check --windw.size=1s', says: ['windw.size', 'did you mean window.size?', '(--windw.size)'] },
  {
    what: 'a key stands without its section',
    line: 'config check',
    files: { 'ctr.yaml': 'size: 1m\n' },
    says: ['size is not a key (line 1)', 'window.size'],
  },
  {
    what: 'a section stands in the wrong one',
    line: 'config check',
    files: { 'ctr.yaml': 'kafka: { retention: {} }' },
    says: ['kafka.retention is not a key', 'did you mean clickhouse.retention or deadLetter.retention or late.retention?'],
  },
  {
    what: 'a section is misspelt',
    line: 'config check --kafka.securty.protocol=SSL',
    says: ['kafka.securty.protocol', 'did you mean kafka.security.protocol?'],
  },
  {
    what: 'a key could be of two sections',
    line: 'config check',
    files: { 'ctr.yaml': 'file: x' },
    says: ['deadLetter.file or late.file'],
  },
  { what: 'a duration of a key has no unit', line: 'config check --kafka.maxWait 250', says: ['kafka.maxWait', '"250"', '250s or 250ms'] },
  { what: 'a size has a unit of ten', line: 'config check --engine.ringBytes=4MB', says: ['engine.ringBytes', '"4MB"', '4MiB'] },
  { what: 'a time of a key is in seconds', line: 'config check --time.oldest=1738324800', says: ['time.oldest', '2025-01-31T12:00:00Z'] },
  { what: 'a broker has no port', line: 'config check --kafka.brokers=kafka', says: ['kafka.brokers', '"kafka"', 'localhost:9092'] },
  {
    what: 'a broker has a scheme',
    line: 'config check --kafka.brokers=kafka://h:9092',
    says: ['kafka.brokers', '"kafka://h:9092"', 'host:port'],
  },
  {
    what: 'the address has a password',
    line: 'config check --clickhouse.url=http://u:p@h:1',
    says: ['clickhouse.url', 'http://***@h:1', 'keys of their own'],
  },
  {
    what: 'a variable is not set',
    line: 'config check',
    files: { 'ctr.yaml': `clickhouse:\n  password: \${CTR_NO_SUCH}\n` },
    says: ['clickhouse.password', 'CTR_NO_SUCH is not set (line 2)', `\${CTR_NO_SUCH:value}`],
  },
  {
    what: 'SASL without a user',
    line: 'config check --kafka.security.protocol=SASL_SSL',
    says: ['kafka.security.sasl is missing', 'mechanism, username and password'],
  },
  { what: 'a topic stands there twice', line: 'config check --kafka.topics=a,a', says: ['kafka.topics', 'listed twice', 'remove one'] },
  {
    what: 'dead letters into an input topic',
    line: 'config check --deadLetter.topic=clicks',
    says: ['deadLetter.topic is an input topic too', '"clicks"', 'use another topic'],
  },
  {
    what: 'a cluster without a server',
    line: 'config check --clickhouse.cluster=x',
    says: ['clickhouse.cluster', '"x"', 'give the address of a server with clickhouse.url'],
  },
  { what: 'more threads than there may be', line: 'config check --engine.workers 100', says: ['engine.workers', '"100"', 'from 1 to 64'] },
  { what: 'a level that is not known', line: 'config check --log.level=verbose', says: ['log.level', '"verbose"', 'trace | debug | info'] },
  { what: 'neither true nor false', line: 'config check --log.pretty=maybe', says: ['log.pretty', '"maybe"', 'write true or false'] },
  {
    what: 'YAML is broken',
    line: 'config check',
    files: { 'ctr.yaml': 'kafka: [1' },
    says: ['./ctr.yaml is not YAML', 'mend the syntax'],
  },
]

test.each(MISTAKES)('$what: ctr $line', expectMistake)

test('a configuration that is found is taken and told, by the variable first, then in the folder; one that is named wins', async () => {
  const files = { 'ctr.yaml': 'tenant: folder', 'other.yaml': 'tenant: variable', 'named.yaml': 'tenant: named' }
  const env = { CTR_CONFIG: 'other.yaml' }
  const ask = (line: string, more: object = {}) => runIn({ line, files, ...more })
  expect(await ask('config print')).toMatchObject({
    out: expect.stringContaining('tenant: folder  # ./ctr.yaml:1'),
    err: 'ctr: configuration ./ctr.yaml: it is in this folder\n',
  })
  expect(await ask('config print', { env })).toMatchObject({
    out: expect.stringContaining('tenant: variable  # other.yaml:1'),
    err: 'ctr: configuration other.yaml: CTR_CONFIG names it\n',
  })
  for (const line of ['config print named.yaml', 'config print --config named.yaml'])
    expect(await ask(line, { env })).toMatchObject({ out: expect.stringContaining('tenant: named  # named.yaml:1'), err: '' })
  expect((await ask('schema grants')).err).toBe('ctr: configuration ./ctr.yaml: it is in this folder\n')
  expect(await runIn({ line: 'config print', files: { 'ctr.yml': 'tenant: b' } })).toMatchObject({
    err: expect.stringContaining('./ctr.yml'),
  })
  expect(await runIn({ line: 'config print' })).toMatchObject({ out: expect.stringContaining('tenant: default  # default'), err: '' })
  expect((await ask('config print --config /dev/null')).out).toContain('tenant: default')
})

test('a key without a section is an option of its own, and so is one whose value stands in the next word', async () => {
  const { code, out } = await runIn({ line: 'config print --tenant=a --window.size 1m --log.pretty' })
  expect(code).toBe(0)
  for (const line of ['tenant: a  # --tenant\n', '  size: 1m  # --window.size\n', '  pretty: true  # --log.pretty\n'])
    expect(out).toContain(line)
})
