/** What happens now, and how it came to be: figures, charts with one cursor, and what happened on the time axis. */
import { html, type TemplateResult } from 'lit-html'
import type { Answer } from './answers.ts'
import { answerTo } from './answers.ts'
import { chartsOf } from './chart-lines.ts'
import { ASK_STATE, CHART_SPANS, historyOf, spanOf, stateIn } from './needs.ts'
import { charts, figure, links, type PageView, staleNote, table, waiting } from './parts.ts'
import { bytesText, clockText, countText, intervalText, rateText, ratioText, secondsText, sinceText } from './words.ts'

const SPAN_NAMES = { '15m': '15 minutes', '6h': '6 hours', '7d': '7 days' }

/** The view. */
export function nowView(page: PageView): TemplateResult {
  const state = stateIn(page.answers)
  if (state === undefined) return waiting(page, ASK_STATE)
  const asked = historyOf(page.address)
  const history = answerTo(page.answers, asked)
  return html`<h2 class="unseen">Now</h2>
    ${figuresOf(state)}
    ${links(page, 'How far back', 'span', Object.fromEntries(CHART_SPANS.map((span) => [span, SPAN_NAMES[span]])), spanOf(page.address))}
    ${staleNote(page, asked)} ${history === undefined ? waiting(page, asked) : chartsAndEvents(page, history)}
    <h2>If this process died now</h2>
    ${lossText(state)}
    <h2>Threads</h2>
    ${threads(page, state)}`
}

function figuresOf(state: Answer<'state'>): TemplateResult {
  const { rates, lastMinute, latency, watermark, totals, checkpoint, memory, at } = state
  const delay = latency.endToEnd.count > 0 ? latency.endToEnd : state.emitDelay
  const delays = `p50 ${secondsText(delay.p50Seconds)}, p99 ${secondsText(delay.p99Seconds)}`
  const late = `${countText(totals.records.late)} in all`
  const invalid = `${countText(totals.records.invalid)} in all`
  return html`<dl class="figures">
    ${figure('events/s', rateText(rates.recordsPerSecond), `${countText(totals.records.read)} in all`)}
    ${figure('readable after, p95', secondsText(delay.p95Seconds), delays)}
    ${figure('reading is behind', secondsText(state.behindSeconds), `${countText(state.lagRecords)} records wait`)}
    ${figure('CTR of the last minute', ratioText(lastMinute.ctr), intervalText(lastMinute.lowCtr, lastMinute.highCtr))}
    ${figure('late a second', rateText(rates.latePerSecond), late)} ${figure('invalid a second', rateText(rates.invalidPerSecond), invalid)}
    ${figure('watermark is behind', secondsText(watermark.lagSeconds), clockText(watermark.lowest, at))}
    ${figure('rows/s', rateText(rates.rowsPerSecond), `${countText(state.rowsPending)} wait`)}
    ${figure('products', countText(state.activeProducts), `${countText(state.openPanes)} in open windows`)}
    ${figure('checkpoint', secondsText(checkpoint.ageSeconds), checkpoint.enabled ? 'old' : 'off')}
    ${figure('memory', bytesText(memory.rssBytes), `of ${bytesText(memory.limitBytes)}`)}
    ${figure('up for', sinceText(state.startedAt, at), state.restarts === 0 ? 'no restarts' : `${countText(state.restarts)} restarts`)}
  </dl>`
}

function chartsAndEvents(page: PageView, history: Answer<'history'>): TemplateResult {
  return html`${charts(chartsOf(history))}
    <h2>What happened</h2>
    ${events(page, history.events)}`
}

/** Of what is a line in the charts, and of checkpoints. */
function events(page: PageView, all: Answer<'history'>['events']): TemplateResult {
  const rows = all.toReversed()
  return table<Answer<'history'>['events'][number]>(page, {
    caption: 'What happened',
    rows,
    empty: 'Nothing that stands out happened in this time.',
    max: EVENTS_MAX,
    columns: [
      { key: 'at', name: 'UTC', value: ({ at }) => at, cell: ({ at }) => clockText(at, page.at) },
      { key: 'kind', name: 'what', value: ({ kind }) => kind },
      { key: 'lasted', name: 'lasted', value: ({ at, until }) => (until === null ? null : sinceText(at, until)) },
      { key: 'message', name: 'in words', value: ({ message }) => message },
    ],
  })
}

const EVENTS_MAX = 50

function lossText({ ifItDiedNow }: Answer<'state'>): TemplateResult {
  const { recordsAgain, secondsAgain, from, checkpointId, keptByKafka } = ifItDiedNow
  const where = { checkpoint: 'the last checkpoint', marks: 'the offsets of the group', nothing: 'the beginning of the topics' }[from]
  const kept = keptByKafka === null ? '' : keptByKafka ? ' Kafka still has all of them.' : ' Kafka has deleted some of them already!'
  const took = secondsAgain === null ? '' : `, for some ${secondsText(secondsAgain)}`
  return html`<p>
    A start in its place would go on from ${where}${checkpointId === null ? '' : html` <code>${checkpointId}</code>`}, and read
    ${countText(recordsAgain)} records again${took}.${kept} No result would be lost or counted twice.
  </p>`
}

function threads(page: PageView, { cost, workers }: Answer<'state'>): TemplateResult {
  const perMillion = cost.cpuSecondsPerMillionRecords
  return html`<p>${perMillion === null ? '' : `${perMillion.toFixed(2)} s of CPU for a million records.`}</p>
    ${table<Answer<'state'>['cost']['threads'][number]>(page, {
      caption: 'Threads',
      rows: cost.threads,
      empty: 'Their CPU time is not known yet.',
      columns: [
        { key: 'thread', name: 'thread', value: ({ thread }) => thread },
        { key: 'cores', name: 'busy', right: true, value: ({ coresUsed }) => coresUsed, cell: ({ coresUsed }) => ratioText(coresUsed) },
        {
          key: 'cpu',
          name: 'CPU so far',
          right: true,
          value: ({ cpuSeconds }) => cpuSeconds,
          cell: ({ cpuSeconds }) => secondsText(cpuSeconds),
        },
      ],
    })}
    ${table<Answer<'state'>['workers'][number]>(page, {
      caption: 'Workers',
      rows: workers,
      empty: 'There are no workers yet.',
      columns: [
        { key: 'worker', name: 'worker', value: ({ worker }) => worker },
        {
          key: 'fill',
          name: 'ring is full to',
          right: true,
          value: (each) => each.ringFillShare,
          cell: (each) => ratioText(each.ringFillShare),
        },
        { key: 'events', name: 'events', right: true, value: (each) => each.events, cell: (each) => countText(each.events) },
        {
          key: 'panes',
          name: 'open windows × products',
          right: true,
          value: (each) => each.openPanes,
          cell: (each) => countText(each.openPanes),
        },
        { key: 'products', name: 'products', right: true, value: (each) => each.products, cell: (each) => countText(each.products) },
      ],
    })}`
}
