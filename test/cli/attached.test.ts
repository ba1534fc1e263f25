/** The view of a run on a real pseudo terminal: a made-up engine, but keys, signals, sizes and ends as they are. */
import { expect, test } from 'vitest'
import { groupsOfLinux } from '../../src/cli/foreground.ts'
import { mayRedraw } from '../../src/config/terminal.ts'
import { repositoryPath } from '../../workshop/child.ts'
import { Terminal, type TerminalOptions } from '../../workshop/terminal.ts'

const RUN = `run ${process.execPath} --disable-warning=ExperimentalWarning ${repositoryPath('test/support/view-run.ts')}`
const AFTER = 'code=$?; echo; stty -a | tr ";" "\\n" | grep -E -o -- "-?(icanon|echo|isig)\\b"; echo "ended $code"'
const SIZE = { columns: 80, rows: 24 }
const HEAD = 'ctr ctr-test · running'
// What the terminal is to be like afterwards, whoever had it.
const RESTORED = ['isig', 'icanon', 'echo']

const COST_MS = 5_000
/** Of a core; a tenth of it was measured. */
const COST_MAX_SHARE = 0.02

const start = (how: string, options: Partial<TerminalOptions> = {}) => new Terminal(`${RUN} ${how}; ${AFTER}`, { ...SIZE, ...options })

/** True when so long has passed since it was made. */
function lasting(ms: number): () => boolean {
  const began = performance.now()
  return () => performance.now() - began > ms
}

async function restored(terminal: Terminal, code: number): Promise<void> {
  await terminal.shows('the end', ({ text }) => text.includes('ended '))
  expect(terminal.screen.text.split('\n').slice(-30).join('\n')).toContain(`ended ${code}`)
  const flags = terminal.screen.text.match(/^-?(icanon|echo|isig)$/gm) ?? []
  expect(flags.toSorted()).toEqual(RESTORED.toSorted())
  expect([...terminal.screen.modes]).not.toContainEqual(['?7', false])
  expect(terminal.written).not.toMatch(/\[\?(?:25l|1049h)/)
}

test('stands below the log at any size, and follows the terminal when it is another', async () => {
  const terminal = start('wait')
  const { screen } = terminal
  await terminal.shows('the view', ({ text }) => text.includes('clicks/1'))
  expect(screen.lines.findIndex((line) => line.includes('begun'))).toBeLessThan(screen.lines.findIndex((line) => line.includes(HEAD)))
  expect(screen.text).toContain('next rows  in 6.0 s')
  expect(screen.text).not.toContain('NOT_JSON')
  terminal.resize(200, 50)
  await terminal.shows('reasons beside partitions', ({ text }) => text.includes('NOT_JSON') && text.includes('clicks/3'))
  terminal.resize(30, 18)
  await terminal.shows('the narrow view', ({ lines }) => lines.some((line) => line === ' 1-4  ? help  q close view'))
  expect(screen.lines.filter((line) => line.includes('ctr ctr-test'))).toHaveLength(1)
  expect(screen.text).toContain('begun')
  terminal.type('\x03')
  await restored(terminal, 0)
  expect(screen.text).toContain('the summary')
  expect(screen.text).not.toContain(HEAD)
})

test('takes keys; q closes it, and the run goes on', async () => {
  const terminal = start('wait')
  await terminal.shows('the view', ({ text }) => text.includes(HEAD))
  terminal.type('3')
  await terminal.shows('dead letters', ({ text }) => text.includes('[3 letters]') && text.includes('NOT_JSON'))
  terminal.type('?')
  await terminal.shows('help', ({ text }) => text.includes('close the view; the run goes on'))
  terminal.type('?')
  terminal.type('p')
  await terminal.shows('that it is paused', ({ text }) => text.includes('PAUSED'))
  terminal.type('q')
  await terminal.shows('that it is closed', ({ text }) => text.includes('the view is closed, the run goes on'))
  expect(terminal.screen.text).not.toContain('PAUSED')
  terminal.type('\x03') // The terminal makes the signal now.
  await restored(terminal, 0)
  expect(terminal.screen.text).toContain('the summary')
})

test('says at the first Ctrl-C what it does, and the second one ends it', async () => {
  const terminal = start('hang')
  await terminal.shows('the view', ({ text }) => text.includes(HEAD))
  terminal.type('\x03')
  await terminal.shows('that it stops', ({ text }) => text.includes('stopping: one moment'))
  // Signals within half a second are one.
  await terminal.shows('it for half a second', lasting(600))
  terminal.type('\x03')
  await restored(terminal, 130)
  expect(terminal.screen.text).not.toContain('stopping: one moment')
})

test('leaves the terminal as it was when something throws, and what was thrown is read', async () => {
  const terminal = start('throw')
  await terminal.shows('the view', ({ text }) => text.includes(HEAD))
  await restored(terminal, 1)
  expect(terminal.screen.text).toMatch(/^Error: nobody catches this$/m)
  expect(terminal.screen.text).not.toContain(HEAD)
})

test('a run that is killed leaves a terminal that the next command can be read on', async () => {
  const terminal = new Terminal(`${RUN} wait; echo; echo after`, SIZE)
  await terminal.shows('the view', ({ text }) => text.includes(HEAD))
  process.kill(terminal.pid, 'SIGKILL')
  await terminal.exit()
  expect(terminal.screen.lines).toContain('after')
  expect(terminal.written).not.toMatch(/\[\?(?:25l|1049h)/)
})

test('Ctrl-Z gives the terminal to the shell, and fg takes it again', async () => {
  const shell = `${AFTER.replace('ended', 'stopped')}; fg; ${AFTER}`
  const terminal = new Terminal(`export -f run; bash -mc '${RUN} wait; ${shell.replaceAll("'", "'\\''")}'`, SIZE)
  await terminal.shows('the view', ({ text }) => text.includes(HEAD))
  terminal.type('\x1a')
  await terminal.shows('the shell', ({ text }) => /stopped 1[0-9]+/.test(text))
  expect(terminal.screen.text.match(/^-?(icanon|echo|isig)$/gm)?.toSorted()).toEqual(RESTORED.toSorted())
  await terminal.shows('the view again', ({ lines }) => lines.some((line) => line.includes(HEAD)))
  terminal.type('2')
  await terminal.shows('what the key asks for', ({ text }) => text.includes('[2 products]'))
  terminal.type('\x03')
  await terminal.shows('the end', ({ text }) => text.includes('ended 0'))
})

test('in the background nothing is drawn, nothing is stopped, and the log goes on', async () => {
  const terminal = new Terminal(`export -f run; bash -mc '${RUN} wait & wait; echo over'`, SIZE)
  await terminal.shows('the log', ({ text }) => text.includes('begun'))
  await terminal.shows('it for the time of three drawings', lasting(1500))
  process.kill(terminal.pid, 'SIGINT')
  await terminal.shows('the end', ({ text }) => text.includes('over'))
  expect(terminal.screen.text).toContain('begun')
  expect(terminal.screen.text).toContain('the summary')
  expect(terminal.written).not.toContain(HEAD)
})

test('of a flood of lines none is lost, and it draws four times a second', async () => {
  const terminal = start('flood', { rows: 30 })
  const began = performance.now()
  await terminal.shows('the end', ({ text }) => text.includes('ended '), 120_000)
  const seconds = (performance.now() - began) / 1000
  const numbers = [...terminal.screen.text.matchAll(/INFO: line (\d+) ends$/gm)].map(([, number]) => Number(number))
  expect(numbers).toEqual(Array.from({ length: 20_000 }, (_, i) => i + 1))
  const drawings = terminal.written.split(HEAD).length - 1
  expect(drawings).toBeGreaterThan(1)
  expect(drawings).toBeLessThanOrEqual(4 * seconds + 2)
})

test('costs the main thread next to nothing', async () => {
  const cost = RUN.replace('view-run.ts', 'view-cost.ts')
  const terminal = new Terminal(`${cost} ${COST_MS}`, { columns: 200, rows: 50 })
  await terminal.exit(60_000)
  const [, without, drawn] = /main took (\d+) ms of CPU without the view and (\d+) ms with it/.exec(terminal.screen.text) ?? []
  expect(terminal.written).toContain('next rows')
  expect(Number(drawn) - Number(without)).toBeLessThan(COST_MS * COST_MAX_SHARE)
})

test('long errors, wide characters and sequences that a terminal would obey stay above it, as text', async () => {
  const terminal = start('odd', { columns: 30, rows: 18 })
  await terminal.shows('the view', ({ lines }) => lines.some((line) => line.includes('ctr ctr-test')))
  await terminal.shows('the error', ({ text }) => text.includes('漢字'))
  const { text } = terminal.screen
  expect(text.replaceAll('\n', '')).toContain('it failed \\u001b[2J xxx')
  for (const obeyed of ['\x1b[2J', '\x9b']) expect(terminal.written).not.toContain(obeyed)
  terminal.type('\x03')
  await restored(terminal, 0)
})

test.each<[string, string, Record<string, string>]>([
  ['--no-view', 'wait --no-view', {}],
  ['CI', 'wait', { CI: 'true' }],
  ['TERM=dumb', 'wait', { TERM: 'dumb' }],
])('with %s there are lines for people only', async (_, how, environment) => {
  const terminal = start(how, { environment })
  await terminal.shows('the log', ({ text }) => text.includes('begun'))
  terminal.type('\x03')
  await terminal.shows('the end', ({ text }) => text.includes('ended 0'))
  expect(terminal.screen.text).toMatch(/INFO.*: begun$/m)
  expect(terminal.written).not.toContain(HEAD)
})

test('with log.pretty=false there is JSON only, and with NO_COLOR no colour', async () => {
  const json = start('wait --json', { columns: 200 })
  const plain = start('wait', { environment: { NO_COLOR: '1' } })
  await json.shows('the log', ({ text }) => text.includes('"msg":"begun"'))
  await plain.shows('the view', ({ text }) => text.includes(HEAD))
  for (const terminal of [json, plain]) terminal.type('\x03')
  for (const terminal of [json, plain]) await terminal.shows('the end', ({ text }) => text.includes('ended 0'))
  expect(json.written).not.toContain('\x1b')
  expect(plain.written.split('\x1b').filter((part) => /^\[[\d;]*m/.test(part))).toEqual([])
})

test('the process in front is told from the text of Linux, whatever the program is called', () => {
  expect(groupsOfLinux('17 (a) b (c) S 1 17 12 34816 99 4194304 1')).toEqual([17, 99])
})

test('what the environment says of a terminal', () => {
  expect([{}, { CI: '' }, { CI: 'false' }, { TERM: 'xterm' }].map(mayRedraw)).toEqual([true, true, true, true])
  expect([{ CI: '1' }, { CI: 'true' }, { TERM: 'dumb' }].map(mayRedraw)).toEqual([false, false, false])
})
