import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { CtrError } from '../src/errors.ts'
import { createLogger } from '../src/log.ts'

function capture(level: 'info' | 'warn' | 'silent') {
  const lines: string[] = []
  const logger = createLogger({ level, pretty: false }, { write: (line) => void lines.push(line) })
  return { logger, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

test('a line is JSON with an ISO time, the level by name, and neither pid nor host', () => {
  const { logger, records } = capture('info')
  logger.info({ task: 3 }, 'hello')
  const [record] = records()
  expect(record).toMatchObject({ level: 'info', task: 3, msg: 'hello' })
  expect(Date.parse(String(record?.time))).not.toBeNaN()
  expect(record).not.toHaveProperty('pid')
  expect(record).not.toHaveProperty('hostname')
})

test('less important lines are dropped', () => {
  const { logger, records } = capture('warn')
  logger.info('no')
  logger.warn('yes')
  expect(records().map(({ msg }) => msg)).toEqual(['yes'])
})

test('an error keeps its code', () => {
  const { logger, records } = capture('info')
  logger.error({ err: new CtrError('CTR_INPUT', 'bad') }, 'failed')
  expect(records()[0]?.err).toMatchObject({ message: 'bad', code: 'CTR_INPUT' })
})

test('passwords and users are masked', () => {
  const { logger, records } = capture('info')
  logger.info({
    password: 'hunter2',
    sasl: { password: 'hunter2' },
    security: { sasl: { password: 'hunter2' } },
    userId: 'u1',
    user_id: 'u1',
  })
  expect(JSON.stringify(records())).not.toMatch(/hunter2|u1/)
})

test('pretty lines are for people, and go to stderr like the others', () => {
  const script = `import { createLogger } from ${JSON.stringify(new URL('../src/log.ts', import.meta.url).href)}
    for (const pretty of [true, false]) createLogger({ level: 'info', pretty }).info({ task: 3 }, 'hello')`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  expect(stdout).toBe('')
  expect(stderr).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: hello\n {4}task: 3\n\{"level":"info",.*"msg":"hello"\}\n$/)
})
