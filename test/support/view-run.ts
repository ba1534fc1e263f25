/** A run that is none: a log, a view of a made-up engine below it, and an end as its argument says. What tests start on a terminal. */
import { openView } from '../../src/cli/attached.ts'
import { listenForStop } from '../../src/cli/signals.ts'
import { sleep } from '../../src/clock.ts'
import { attachedScreen } from '../../src/run/attached-screen.ts'
import { engineAnswers } from './engine-answers.ts'

const [how = 'wait', ...words] = process.argv.slice(2)
const FLOOD_LINES = 20_000

const view = openView({ view: !words.includes('--no-view') }, { level: 'info', ...(words.includes('--json') && { pretty: false }) })
const stop = listenForStop()
const api = engineAnswers({ partitions: 8, products: ['p-1'], now: Date.now })
view.follow({ draw: attachedScreen(api, performance.now.bind(performance)) }, stop.signal, 'stopping: one moment')
view.log.info({ url: 'http://127.0.0.1:1' }, 'begun')
const alive = setInterval(() => {}, 1000)
const stopped = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()))

if (how === 'flood') {
  for (let line = 1; line <= FLOOD_LINES; line++) {
    view.log.info(`line ${line} ends`)
    if (line % 100 === 0) await sleep(2)
  }
} else if (how === 'throw') {
  await sleep(1500)
  setTimeout(() => {
    throw new Error('nobody catches this')
  })
  await stopped
} else if (how === 'hang') {
  await stopped
  await sleep(60_000)
} else if (how === 'odd') {
  const error = new Error(`a long one: ${'wörter und 漢字 '.repeat(60)}`)
  for (let i = 0; i < 5; i++) view.log.error({ err: error, subject: 'a\x1b[2Jb\x9b2J' }, `it failed \x1b[2J ${'x'.repeat(500)}`)
  await stopped
} else await stopped
clearInterval(alive)
view.close()
process.stdout.write('the summary\n')
stop.dispose()
