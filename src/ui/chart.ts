/**
 * `<ctr-chart>`: lines over time, drawn by uPlot. The cursor is shared by all charts of the page, and moves by the arrow keys too, when its
 * text is read out; the figures are in a table below for whoever can't see a canvas. Lines differ in their dash, not in colour alone.
 */
import { html, render } from 'lit-html'
import type UPlot from 'uplot'
import type { ChartLines } from './chart-lines.ts'
import { newest, thinned } from './chart-lines.ts'
import { UNKNOWN } from './words.ts'

/** A plain script puts it there, before the modules. */
declare const uPlot: typeof UPlot

const HEIGHT_PX = 170
const TABLE_ROWS = 12
const AXIS_PX = 76
const DAY_SECONDS = 86_400
const DASHES: readonly (readonly number[])[] = [[], [6, 3], [2, 3]]
const DASH_NAMES: readonly string[] = ['──', '╌╌', '··']
const WIDTH_MIN_PX = 120

export class CtrChart extends HTMLElement {
  #lines: ChartLines | undefined
  #plot: UPlot | undefined
  /** What the plot was made for; other lines or colours take another one. */
  #madeFor = ''
  #at: number | null = null
  #tableShown = false
  readonly #resized = new ResizeObserver(() => this.#resize())
  readonly #repainted = () => this.#draw()

  set lines(lines: ChartLines) {
    this.#lines = lines
    if (this.isConnected) this.#draw()
  }

  connectedCallback(): void {
    this.#resized.observe(this)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', this.#repainted)
    document.addEventListener('ctr-theme', this.#repainted)
    this.#draw()
  }

  disconnectedCallback(): void {
    this.#resized.disconnect()
    matchMedia('(prefers-color-scheme: dark)').removeEventListener('change', this.#repainted)
    document.removeEventListener('ctr-theme', this.#repainted)
    this.#plot?.destroy()
    this.#plot = undefined
    this.#madeFor = ''
  }

  #draw(): void {
    const lines = this.#lines
    if (lines === undefined) return
    this.#caption()
    const place = this.querySelector<HTMLElement>('.plot')
    if (place === null) return
    const colours = coloursOf(place)
    const madeFor = [...colours, ...lines.lines.map(({ label }) => label)].join()
    const data = [lines.timesSeconds, ...lines.lines.map(({ values }) => values)] as unknown as UPlot.AlignedData
    if (this.#plot !== undefined && madeFor === this.#madeFor) {
      this.#plot.setData(data)
      return
    }
    this.#plot?.destroy()
    this.#madeFor = madeFor
    this.#plot = new uPlot(this.#options(lines, colours), data, place)
  }

  #options(lines: ChartLines, [first = '', second = '', third = '', axis = '', grid = '', mark = '']: readonly string[]): UPlot.Options {
    const strokes = [first, second, third]
    const axes = { stroke: axis, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } }
    return {
      width: Math.max(WIDTH_MIN_PX, this.clientWidth),
      height: HEIGHT_PX,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
      legend: { show: false },
      cursor: { sync: { key: 'ctr', setSeries: false }, points: { size: 6 } },
      axes: [
        { ...axes, values: (_, values) => tickTexts(values) },
        { ...axes, size: AXIS_PX, values: (_, values) => values.map((value) => lines.format(value)) },
      ],
      series: [
        {},
        ...lines.lines.map(({ label }, i) => ({
          label,
          width: 1.5,
          stroke: strokes[i] ?? first,
          dash: [...(DASHES[i] ?? [])],
          spanGaps: false,
        })),
      ],
      scales: { y: { range: (_, low, high) => rangeOf(low, high) } },
      hooks: {
        draw: [(plot) => this.#drawMarks(plot, mark)],
        setCursor: [
          ({ cursor }) => {
            this.#at = cursor.idx ?? null
            this.#caption()
          },
        ],
      },
    }
  }

  #drawMarks(plot: UPlot, colour: string): void {
    const { ctx, bbox } = plot
    ctx.save()
    ctx.strokeStyle = colour
    ctx.fillStyle = colour
    ctx.setLineDash([3, 3])
    for (const { atSeconds, kind } of this.#lines?.marks ?? []) {
      const x = plot.valToPos(atSeconds, 'x', true)
      if (x < bbox.left || x > bbox.left + bbox.width) continue
      ctx.beginPath()
      ctx.moveTo(x, bbox.top)
      ctx.lineTo(x, bbox.top + bbox.height)
      ctx.stroke()
      ctx.fillText(kind.slice(0, 1).toUpperCase(), x + 3, bbox.top + 12)
    }
    ctx.restore()
  }

  #resize(): void {
    const width = Math.max(WIDTH_MIN_PX, this.clientWidth)
    if (this.#plot !== undefined && this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT_PX })
  }

  /** Head, place of the plot, and table; the plot itself is uPlot's. */
  #caption(): void {
    const lines = this.#lines
    if (lines === undefined) return
    const { title, timesSeconds, format } = lines
    const at = this.#at !== null && this.#at < timesSeconds.length ? this.#at : null
    const when = at === null ? 'now' : clock(timesSeconds[at])
    const figures = lines.lines.map(({ label, values }) => `${label} ${format(at === null ? newest(values) : (values[at] ?? null))}`)
    const last = Math.max(0, timesSeconds.length - 1)
    render(
      html`<h3>${title} <small>${when}</small></h3>
        <p class="keys">
          ${figures.map(
            (figure, i) => html`<span><span class="line line-${i + 1}" aria-hidden="true">${DASH_NAMES[i]}</span> ${figure}</span>`,
          )}
        </p>
        <div
          class="plot"
          role="slider"
          tabindex="0"
          aria-label="${title}: time"
          aria-valuemin="0"
          aria-valuemax=${last}
          aria-valuenow=${at ?? last}
          aria-valuetext="${when}: ${figures.join(', ')}"
          @keydown=${this.#onKey}
        ></div>
        <details @toggle=${this.#onToggle}>
          <summary>Figures<span class="unseen"> of ${title}</span></summary>
          ${this.#tableShown ? figuresTable(lines) : ''}
        </details>`,
      this,
    )
  }

  readonly #onToggle = (event: Event) => {
    this.#tableShown = (event.target as HTMLDetailsElement).open
    this.#caption()
  }

  readonly #onKey = (event: KeyboardEvent) => {
    const plot = this.#plot
    const length = this.#lines?.timesSeconds.length ?? 0
    const to = keyTarget(event, this.#at ?? length - 1, length)
    if (plot === undefined || to === undefined || length === 0) return
    event.preventDefault()
    const left = to === null ? -10 : plot.valToPos(this.#lines?.timesSeconds[to] ?? 0, 'x')
    // Its type leaves out the last one: other charts are to follow.
    const setCursor: (at: UPlot.Cursor & { left: number; top: number }, fire: boolean, publish: boolean) => void = plot.setCursor
    setCursor({ left, top: to === null ? -10 : 20 }, true, true)
  }
}

const COLOURS: readonly string[] = ['--line-1', '--line-2', '--line-3', '--axis', '--grid', '--mark']

/** As a canvas understands them, for the scheme that is in effect at `place`. */
function coloursOf(place: HTMLElement): string[] {
  const before = place.style.color
  const colours = COLOURS.map((name) => {
    place.style.color = `var(${name})`
    return getComputedStyle(place).color
  })
  place.style.color = before
  return colours
}

/** Where a key moves the cursor: undefined when it does not, null takes it away. */
function keyTarget({ key, shiftKey }: KeyboardEvent, at: number, length: number): number | null | undefined {
  const step = shiftKey ? Math.max(1, Math.round(length / 20)) : 1
  const moves: Readonly<Record<string, number>> = { ArrowLeft: at - step, ArrowRight: at + step, Home: 0, End: length - 1 }
  if (key === 'Escape') return null
  const to = moves[key]
  return to === undefined ? undefined : Math.max(0, Math.min(length - 1, to))
}

/** By the clock, with seconds where ticks are close; by the day where they are days apart. */
function tickTexts(seconds: readonly number[]): string[] {
  const step = (seconds[1] ?? 0) - (seconds[0] ?? 0)
  const [from, to] = step >= DAY_SECONDS ? [5, 10] : [11, step < 60 ? 19 : 16]
  return seconds.map((each) => new Date(each * 1000).toISOString().slice(from, to))
}

/** From nothing, or from the least value, up to the most; never a range of nothing. */
function rangeOf(low: number | null, high: number | null): [number, number] {
  const from = Math.min(0, low ?? 0)
  const to = high ?? 0
  return to > from ? [from, to + (to - from) * 0.05] : [from, from + 1]
}

function figuresTable({ timesSeconds, lines, format }: ChartLines) {
  return html`<table>
    <thead>
      <tr>
        <th scope="col">UTC</th>
        ${lines.map(({ label }) => html`<th scope="col" class="right">${label}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${thinned(timesSeconds.length, TABLE_ROWS).map(
        (i) => html`<tr>
          <th scope="row">${clock(timesSeconds[i])}</th>
          ${lines.map(({ values }) => html`<td class="right">${format(values[i] ?? null)}</td>`)}
        </tr>`,
      )}
    </tbody>
  </table>`
}

function clock(seconds: number | undefined): string {
  return seconds === undefined ? UNKNOWN : new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')
}
