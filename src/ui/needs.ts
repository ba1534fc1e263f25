/** Which questions a view has. All views show the sentence, which is in the state. */
import type { Address } from './address.ts'
import type { Answer, ApiQuestion, KeptAnswers } from './answers.ts'
import { answerTo, question } from './answers.ts'

/** Asked always. */
export const ASK_STATE = question('state', 1000)
/** All of them, with their tasks. */
export const ASK_PARTITIONS = question('partitions', 2000)
/** Lateness, invalid records, hot products. */
export const ASK_QUALITY = question('quality', 5000)
/** It does not change while the process runs. */
export const ASK_CONFIG = question('config', 0)
/** Savepoints among them. */
export const ASK_CHECKPOINTS = question('checkpoints', 5000)
/** Of the last minutes. */
export const ASK_LEDGER = question('ledger', 5000)
/** By reason, with samples. */
export const ASK_LETTERS = question('deadLetters', 5000)
/** The newest ones, over all products. */
export const ASK_WINDOWS = question('windows', 5000, { limit: '200' })

const HISTORY_EVERY_MS = { '15m': 3000, '6h': 10_000, '7d': 60_000 } as const
/** How far back charts go. */
export type ChartSpan = keyof typeof HISTORY_EVERY_MS
/** In the order of the links. */
export const CHART_SPANS = Object.keys(HISTORY_EVERY_MS) as readonly ChartSpan[]

/** The span that the address wants. */
export function spanOf({ params }: Address): ChartSpan {
  return CHART_SPANS.find((each) => each === params.span) ?? '15m'
}

/** The history that is charted. */
export function historyOf(address: Address): ApiQuestion<'history'> {
  const span = spanOf(address)
  return question('history', HISTORY_EVERY_MS[span], { span })
}

/** As many as are asked for, of all that there are. */
export const PRODUCTS_MAX = '100'
/** As the API knows them. */
export const PRODUCT_SPANS: readonly string[] = ['5m', '1h', '1d']
/** As the API knows them, and what they are called. */
export const PRODUCT_ORDERS = { impressions: 'impressions', clicks: 'clicks', ctr: 'CTR', movers: 'changes' } as const

/** The list of products that the address wants. Values that the page does not know are not passed on. */
export function productsOf({ params }: Address): ApiQuestion<'products'> {
  const by = Object.keys(PRODUCT_ORDERS).find((each) => each === params.by) ?? 'impressions'
  const span = PRODUCT_SPANS.find((each) => each === params.span) ?? '1h'
  return question('products', 5000, { by, span, limit: PRODUCTS_MAX, search: params.search ?? '' })
}

/** A product by its id. */
export function oneProductOf({ id }: Address): ApiQuestion<'product'> {
  return question('product', 5000, {}, id)
}

/** `topic/3`, as it stands in an address. */
export function onePartitionOf({ id }: Address): ApiQuestion<'partitions'> | undefined {
  const at = id.lastIndexOf('/')
  return at < 1 ? undefined : question('partitions', 5000, { topic: id.slice(0, at), partition: id.slice(at + 1) })
}

/** What is asked while this is shown. */
export function questionsOf(address: Address): readonly ApiQuestion[] {
  switch (address.view) {
    case 'now':
      return [ASK_STATE, historyOf(address)]
    case 'products':
      return address.id === '' ? [ASK_STATE, productsOf(address), ASK_QUALITY] : [ASK_STATE, oneProductOf(address), ASK_PARTITIONS]
    case 'partitions': {
      const one = onePartitionOf(address)
      return one === undefined ? [ASK_STATE, ASK_PARTITIONS] : [ASK_STATE, ASK_PARTITIONS, one]
    }
    case 'lateness':
      return [ASK_STATE, ASK_QUALITY, ASK_CONFIG]
    case 'ledger':
      return [ASK_STATE, ASK_LEDGER, ASK_WINDOWS]
    case 'letters':
      return [ASK_STATE, ASK_LETTERS]
    case 'checkpoints':
      return [ASK_STATE, ASK_CHECKPOINTS]
    case 'config':
      return [ASK_STATE, ASK_CONFIG, ASK_PARTITIONS]
  }
}

/** The value of a key of the configuration; undefined when it is not known. */
export function configValue(config: Answer<'config'> | undefined, key: string): unknown {
  return config?.keys.find((each) => each.key === key)?.value
}

/** The state, whatever else there is. */
export function stateIn(answers: KeptAnswers): Answer<'state'> | undefined {
  return answerTo(answers, ASK_STATE)
}
