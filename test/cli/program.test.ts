import { expect, test, vi } from 'vitest'
import { createProgram, main } from '../../src/cli/program.ts'

async function run(...words: string[]) {
  const output = { out: '', err: '' }
  const catching = (stream: NodeJS.WriteStream, name: 'out' | 'err') =>
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      output[name] += String(chunk)
      return true
    })
  const out = catching(process.stdout, 'out')
  const err = catching(process.stderr, 'err')
  try {
    return { code: await main(words), ...output }
  } finally {
    out.mockRestore()
    err.mockRestore()
  }
}

const VERBS = [
  'init',
  'run',
  'replay',
  'demo',
  'load',
  'query',
  'schema',
  'compare',
  'config',
  'tap',
  'test',
  'doctor',
  'plan',
  'explain',
  'checkpoint',
  'savepoint',
  'letters',
  'selftest',
  'token',
  'ui',
  'top',
  'completion',
]

test('the program has its verbs', () => {
  expect(createProgram(() => {}).commands.map((command) => command.name())).toEqual(VERBS)
})

test.each(VERBS)('ctr %s --help shows an example and exits 0', async (name) => {
  const { code, out } = await run(name, '--help')
  expect(code).toBe(0)
  expect(out).toMatch(/\nExample:\n( {2}\$ .+\n)+/)
})

test.each(['list', 'inspect', 'verify', 'diff', 'export'].map((part) => ['checkpoint', part]).concat([['savepoint', 'create']]))(
  'ctr %s %s --help shows an example and exits 0',
  async (name, part) => {
    const { code, out } = await run(name!, part!, '--help')
    expect(code).toBe(0)
    expect(out).toMatch(/\nExample:\n( {2}\$ .+\n)+/)
    expect(out).toContain('--config <file>')
  },
)

test('--help and --version exit 0', async () => {
  expect((await run('--help')).code).toBe(0)
  expect(await run('--version')).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
})

test.each([
  [['rn'], 'Did you mean run?'],
  [['run', '--frob'], "unknown option '--frob'"],
  [['replay'], "missing required argument 'file'"],
  [['completion', 'tcsh'], 'Allowed choices are bash, zsh, fish'],
  [['query', 'a', 'b'], 'too many arguments'],
  [['config', 'chek'], 'Allowed choices are check, print, diff, schema'],
  [['schema', 'drop'], 'Allowed choices are print, plan, diff, apply, refresh'],
  [['checkpoint'], 'Usage: ctr checkpoint'],
  [['checkpoint', 'lst'], 'Did you mean list?'],
  [['checkpoint', 'diff', 'latest'], "missing required argument 'b'"],
  [['checkpoint', 'export', '--format', 'xml'], 'Allowed choices are json, csv'],
  [['checkpoint', 'list', '--set', 'checkpoint.storage=none'], 'checkpoint.storage is none'],
  [['savepoint', 'delete'], "missing required argument 'name'"],
  [['demo', '--rate', 'fast'], 'Write a number such as'],
  [['demo', '--duration', 'long'], 'Write a duration such as'],
  [['load', '--codec', 'zip'], 'Allowed choices are none, gzip, snappy, lz4, zstd'],
  [['config', 'check', '--set', 'window.size=x'], 'window.size is not a duration, got "x" (--set)'],
  [['config', 'check', '--config', '/no/file'], '/no/file does not exist'],
  [['config', 'check', '--windw.size=1s'], 'did you mean window.size?'],
])('%j is wrong usage: exit code 2 and a word on why', async (words, part) => {
  const { code, err } = await run(...words)
  expect(code).toBe(2)
  expect(err).toContain(part)
})

test('a configuration error begins with its code', async () => {
  expect((await run('config', 'check', '--set', 'window.size=x')).err).toMatch(/^ctr: CTR_CONFIG: configuration: 1 fault\n {2}window\.size/)
})

test('no verb at all shows the help and exits 2', async () => {
  const { code, err } = await run()
  expect(code).toBe(2)
  expect(err).toContain('Usage: ctr')
})

test('config check is quiet about nothing and exits 0, also with keys as options', async () => {
  const { code, out } = await run('config', 'check', '--window.size=1m', '--log.pretty')
  expect(code).toBe(0)
  expect(out).toContain('windows of 1m')
})
