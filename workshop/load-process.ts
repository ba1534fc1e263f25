/** Entry of the process that produces events: gets LoadOrder as its only message, answers with LoadReport. 'enough' ends it early. */
import { pino } from 'pino'
import { type LoadResult, type ProduceLoadOptions, produceLoad } from '../src/load/produce.ts'

/** What is to be produced. */
export interface LoadOrder extends Omit<ProduceLoadOptions, 'kafka' | 'signal' | 'onProgress' | 'clock'> {
  readonly brokers: readonly string[]
}

/** How far it has come, or how it ended. */
export type LoadReport =
  | { readonly kind: 'progress'; readonly events: number }
  | { readonly kind: 'done'; readonly result: LoadResult }
  | { readonly kind: 'failed'; readonly message: string }

const enough = new AbortController()
process.on('message', (message: LoadOrder | 'enough') => {
  if (message === 'enough') enough.abort()
  else void produce(message)
})
process.on('disconnect', () => process.exit(1))

async function produce({ brokers, ...order }: LoadOrder): Promise<void> {
  const report = await produceLoad({
    ...order,
    kafka: {
      brokers,
      clientId: 'load',
      connectionTimeoutMs: 10_000,
      requestTimeoutMs: 30_000,
      security: { protocol: 'PLAINTEXT' },
      logger: pino({ level: 'warn' }, pino.destination(2)),
    },
    signal: enough.signal,
    onProgress: ({ events }) => send({ kind: 'progress', events }),
  }).then(
    (result): LoadReport => ({ kind: 'done', result }),
    (error: unknown): LoadReport => ({ kind: 'failed', message: String(error) }),
  )
  send(report, () => process.exit(report.kind === 'done' ? 0 : 1))
}

function send(report: LoadReport, sent: () => void = () => {}): void {
  process.send?.(report, sent)
}
