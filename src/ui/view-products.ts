/** Products by what is asked: with the interval that their CTR lies in, and whether it has changed; and one of them, window by window. */
import { html, nothing, type TemplateResult } from 'lit-html'
import { addressText } from './address.ts'
import type { Answer } from './answers.ts'
import { answerTo } from './answers.ts'
import { ASK_PARTITIONS, ASK_QUALITY, oneProductOf, PRODUCT_ORDERS, PRODUCT_SPANS, productsOf } from './needs.ts'
import { type IntervalScale, intervalBar, links, type PageView, type Shown, searchField, staleNote, table, waiting } from './parts.ts'
import { countText, intervalText, ratioText, timeText, UNKNOWN } from './words.ts'

type Product = Answer<'products'>['products'][number]
type ProductWindow = Answer<'product'>['windows'][number]
type HotProduct = NonNullable<Answer<'quality'>['hotProducts']>[number]

const SPAN_NAMES: Readonly<Record<string, string>> = { '5m': '5 minutes', '1h': 'an hour', '1d': 'a day' }

/** The view: all of them, or the one of the address. */
export function productsView(page: PageView): TemplateResult {
  return page.address.id === '' ? list(page) : one(page)
}

function list(page: PageView): TemplateResult {
  const { params } = page.address
  const asked = productsOf(page.address)
  const answer = answerTo(page.answers, asked)
  const spans = Object.fromEntries(PRODUCT_SPANS.map((span) => [span, SPAN_NAMES[span] ?? span]))
  return html`<h2>Products</h2>
    <div class="tools">
      ${links(page, 'Those with the most', 'by', PRODUCT_ORDERS, params.by ?? 'impressions')}
      ${links(page, 'Of the last', 'span', spans, params.span ?? '1h')} ${searchField(page, 'Product', 'search')}
    </div>
    ${staleNote(page, asked)} ${answer === undefined ? waiting(page, asked) : productTable(page, answer)}
    <p class="note">
      The interval is Wilson’s${answer === undefined ? nothing : ` of ${levelText(answer.intervalLevel)}`}. Grey: fewer impressions than
      <code>clickhouse.intervals.minImpressions</code>. A change is told only when the interval and that of the span before have nothing in
      common.
    </p>
    <h2>Hot products</h2>
    ${hotTable(page)}`
}

function productTable(page: PageView, { products, shown, from, to }: Answer<'products'>): TemplateResult {
  if (shown === 'hide') return html`<p class="empty">Products are not shown here: <code>ui.products</code> is <code>hide</code>.</p>`
  const scale = scaleOf(products)
  return html`<p class="note">${timeText(from)} to ${timeText(to)} UTC${shown === 'hash' ? '; ids are hashed (ui.products)' : ''}</p>
    ${table<Product>(page, {
      caption: 'Products',
      rows: products,
      empty: 'No product: none was counted in this time, or none has such an id.',
      rowClass: ({ enough }) => (enough ? '' : 'few'),
      columns: [
        { key: 'id', name: 'product', value: ({ productId }) => productId, cell: ({ productId }) => productLink(productId) },
        {
          key: 'impressions',
          name: 'impressions',
          right: true,
          value: (each) => each.impressions,
          cell: (each) => countText(each.impressions),
        },
        { key: 'clicks', name: 'clicks', right: true, value: (each) => each.clicks, cell: (each) => countText(each.clicks) },
        { key: 'ctr', name: 'CTR', right: true, value: (each) => each.ctr, cell: ctrCell },
        { key: 'interval', name: 'interval', value: (each) => each.lowCtr, cell: (each) => intervalCell(each, scale) },
        { key: 'change', name: 'beside the span before', value: changeValue, cell: changeCell },
      ],
    })}`
}

/** From the lowest to the highest of those of which much is known; else of all. */
function scaleOf(all: readonly Pick<Product, 'enough' | 'lowCtr' | 'highCtr'>[]): IntervalScale {
  const known = all.filter(({ enough }) => enough)
  const shown = known.length > 0 ? known : all
  return { low: Math.min(...shown.map(({ lowCtr }) => lowCtr ?? 0)), high: Math.max(...shown.map(({ highCtr }) => highCtr ?? 1)) }
}

function productLink(productId: string): TemplateResult {
  return html`<a class="id" href=${addressText({ view: 'products', id: productId, params: {} })}>${productId}</a>`
}

function ctrCell({ ctr, enough }: Pick<Product, 'ctr' | 'enough'>): Shown {
  return html`${ratioText(ctr)}${enough ? nothing : html`<small> few</small>`}`
}

/** `95 %`. */
function levelText(level: number): string {
  return `${Number((level * 100).toFixed(4))} %`
}

function intervalCell({ lowCtr, ctr, highCtr }: Pick<Product, 'lowCtr' | 'ctr' | 'highCtr'>, scale: IntervalScale): Shown {
  if (lowCtr === null || highCtr === null || ctr === null) return UNKNOWN
  return html`${intervalBar(lowCtr, ctr, highCtr, scale)} <span class="range">${intervalText(lowCtr, highCtr)}</span>`
}

function changeValue({ changed, ctr, previous }: Product): number | null {
  return changed === null ? null : (ctr ?? 0) - (previous?.ctr ?? 0)
}

function changeCell({ changed, previous }: Product): Shown {
  if (previous === null || previous.ctr === null) return html`<small>${UNKNOWN}</small>`
  const before = `was ${ratioText(previous.ctr)}`
  if (changed === null) return html`<small>no change for sure, ${before}</small>`
  return html`<strong>${changed === 'up' ? '▲ up' : '▼ down'}</strong> <small>${before}</small>`
}

function hotTable(page: PageView): TemplateResult {
  const quality = answerTo(page.answers, ASK_QUALITY)
  if (quality === undefined) return waiting(page, ASK_QUALITY)
  const { skew, hotProducts } = quality
  const times = (value: number | null) => (value === null ? UNKNOWN : `${value.toFixed(2)} times the mean`)
  return html`<p>
      Of the newest closed windows. The busiest worker has ${times(skew.workers)}, the busiest partition ${times(skew.partitions)}.
    </p>
    ${table<HotProduct>(page, {
      caption: 'Hot products',
      rows: hotProducts ?? [],
      empty: hotProducts === null ? 'ClickHouse does not answer.' : 'No window has been closed yet.',
      columns: [
        { key: 'hot', name: 'product', value: ({ productId }) => productId, cell: ({ productId }) => productLink(productId) },
        { key: 'share', name: 'of all events', right: true, value: ({ share }) => share, cell: ({ share }) => ratioText(share) },
        {
          key: 'hotImpressions',
          name: 'impressions',
          right: true,
          value: (each) => each.impressions,
          cell: (each) => countText(each.impressions),
        },
        { key: 'hotClicks', name: 'clicks', right: true, value: (each) => each.clicks, cell: (each) => countText(each.clicks) },
        { key: 'hotCtr', name: 'CTR', right: true, value: (each) => each.ctr, cell: ctrCell },
      ],
    })}`
}

function one(page: PageView): TemplateResult {
  const { address, answers } = page
  const asked = oneProductOf(address)
  const answer = answerTo(answers, asked)
  const back = addressText({ view: 'products', id: '', params: {} })
  return html`<p><a href=${back}>← all products</a></p>
    <h2>Product <span class="id">${address.id}</span></h2>
    ${staleNote(page, asked)} ${answer === undefined ? waiting(page, asked) : windowTable(page, answer.windows)}
    <h2>Tasks that fed it</h2>
    ${answer === undefined ? nothing : feeders(page, answer.windows)}`
}

function windowTable(page: PageView, windows: readonly ProductWindow[]): TemplateResult {
  const scale = scaleOf(windows)
  return table<ProductWindow>(page, {
    caption: 'Its windows, newest first',
    rows: windows,
    empty: 'ClickHouse has no window of this product.',
    rowClass: ({ enough }) => (enough ? '' : 'few'),
    columns: [
      { key: 'start', name: 'window begins, UTC', value: ({ start }) => start, cell: ({ start }) => timeText(start) },
      { key: 'end', name: 'ends', value: ({ end }) => end, cell: ({ end }) => timeText(end) },
      {
        key: 'impressions',
        name: 'impressions',
        right: true,
        value: (each) => each.impressions,
        cell: (each) => countText(each.impressions),
      },
      { key: 'clicks', name: 'clicks', right: true, value: (each) => each.clicks, cell: (each) => countText(each.clicks) },
      { key: 'ctr', name: 'CTR', right: true, value: (each) => each.ctr, cell: ctrCell },
      { key: 'interval', name: 'interval', value: (each) => each.lowCtr, cell: (each) => intervalCell(each, scale) },
      { key: 'versions', name: 'versions in ClickHouse', value: ({ versions }) => versions.length, cell: versionsCell },
    ],
  })
}

/** Of a task the newest counts; older ones are merged away by ClickHouse. */
function versionsCell({ versions }: ProductWindow): TemplateResult {
  const written = ({ task, impressions, clicks, emittedAt, revision }: ProductWindow['versions'][number]) =>
    html`<li>
      task ${task}: ${countText(impressions)} / ${countText(clicks)},
      ${timeText(emittedAt)}${revision === 0 ? '' : `, revision ${revision}`}
    </li>`
  return html`<details><summary>${versions.length}</summary><ul>${versions.map(written)}</ul></details>`
}

function feeders(page: PageView, windows: readonly ProductWindow[]): TemplateResult {
  const tasks = [...new Set(windows.flatMap(({ versions }) => versions.map(({ task }) => task)))].toSorted((a, b) => a - b)
  const here = answerTo(page.answers, ASK_PARTITIONS)?.tasks.map(({ task }) => task) ?? []
  if (tasks.length === 0) return html`<p class="empty">None yet.</p>`
  return html`<ul>
    ${tasks.map((task) => {
      const to = addressText({ view: 'partitions', id: '', params: { filter: `task:${task}` } })
      const whose = here.includes(task) ? 'of this process' : 'of another process, or an earlier one'
      return html`<li><a href=${to}>task ${task}</a>, ${whose}</li>`
    })}
  </ul>`
}
