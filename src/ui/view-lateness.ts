/** How late events come, and what another `time.allowedLateness` would have meant. */
import { html, nothing, svg, type TemplateResult } from 'lit-html'
import { parseDuration } from '../config/units.ts'
import { withParams } from './address.ts'
import type { Answer } from './answers.ts'
import { answerTo } from './answers.ts'
import { ASK_CONFIG, ASK_QUALITY, configValue, stateIn } from './needs.ts'
import { links, type PageView, type Shown, staleNote, waiting } from './parts.ts'
import { lateBeyond, STOPS_SECONDS, stopOf, whatIf } from './what-if.ts'
import { bytesText, countText, ratioText, secondsText } from './words.ts'

type Topic = Answer<'quality'>['topics'][number]

/** The view. */
export function latenessView(page: PageView): TemplateResult {
  const quality = answerTo(page.answers, ASK_QUALITY)
  if (quality === undefined) return html`<h2>Lateness</h2>${waiting(page, ASK_QUALITY)}`
  const topic = quality.topics.find((each) => each.topic === page.address.params.topic) ?? quality.topics[0]
  const names = Object.fromEntries(quality.topics.map((each) => [each.topic, each.topic]))
  return html`<h2>Lateness</h2>
    ${staleNote(page, ASK_QUALITY)}
    ${quality.topics.length > 1 ? links(page, 'Topic', 'topic', names, topic?.topic ?? '') : nothing}
    ${topic === undefined ? html`<p class="empty">No topic has been read yet.</p>` : ofTopic(page, quality, topic)}
    <h2>Invalid records</h2>
    ${reasons(quality)}`
}

function ofTopic(page: PageView, { allowedLatenessSeconds }: Answer<'quality'>, topic: Topic): TemplateResult {
  const asked = Number(page.address.params.allowed ?? allowedLatenessSeconds)
  const seconds = Number.isFinite(asked) && asked >= 0 ? asked : allowedLatenessSeconds
  const then = whatIf(
    {
      records: topic.records,
      lateness: topic.lateness,
      allowedSeconds: allowedLatenessSeconds,
      openSeconds: openSecondsOf(answerTo(page.answers, ASK_CONFIG)),
      stateBytes: stateIn(page.answers)?.memory.stateBytes ?? 0,
    },
    seconds,
  )
  const behind = lateBeyond(topic.lateness, 0)
  const onInput = (event: Event) => {
    const stop = STOPS_SECONDS[Number((event.target as HTMLInputElement).value)] ?? 0
    page.acts.go(withParams(page.address, { allowed: String(stop) }), true)
  }
  return html`<p>
      Of ${countText(topic.records)} records of <span class="id">${topic.topic}</span>, ${countText(behind)} came when their window had
      ended already, and ${countText(topic.lateRecords)} were late: more than ${secondsText(allowedLatenessSeconds)} behind it.
    </p>
    ${bars(topic, seconds)}
    <label class="slider">
      With <code>time.allowedLateness</code> at <strong>${secondsText(seconds)}</strong>
      <input
        type="range"
        min="0"
        max=${STOPS_SECONDS.length - 1}
        step="1"
        .value=${String(stopOf(seconds))}
        aria-valuetext=${secondsText(seconds)}
        @input=${onInput}
      />
    </label>
    <p role="status">
      ${countText(then.lateRecords)} records, ${ratioText(then.lateShare)}, would have been
      late${stays(then.longerSeconds, then.moreBytes)}.
    </p>
    <p class="note">
      Of what this process has read since it started. Lateness is the watermark of the record’s partition less the end of its window; within
      a bar it is taken to be even. Memory is that of windows now, in proportion to how long they stay open.
    </p>`
}

function stays(longerSeconds: number, moreBytes: number | null): string {
  if (longerSeconds === 0) return '; that is as it is now'
  const memory = moreBytes === null ? '' : `, about ${bytesText(Math.round(Math.abs(moreBytes)))} ${moreBytes < 0 ? 'less' : 'more'}`
  return `; windows stay open ${secondsText(Math.abs(longerSeconds))} ${longerSeconds < 0 ? 'less' : 'longer'}${memory}`
}

/** Window, disorder and lateness: so long a window's counts are held. */
function openSecondsOf(config: Answer<'config'> | undefined): number | null {
  const all = ['window.size', 'time.outOfOrderness', 'time.allowedLateness'].map((key) => millisecondsOf(configValue(config, key)))
  return all.includes(undefined) ? null : all.reduce<number>((sum, ms) => sum + (ms ?? 0), 0) / 1000
}

function millisecondsOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : parseDuration(value)
}

const HEIGHT = 100
const BAR = 12

/** Counts by how late; what the slider makes late is filled, the rest is hollow. */
function bars({ lateness: { upperBounds, counts } }: Topic, seconds: number): Shown {
  const last = counts.findLastIndex((count) => count > 0)
  if (last < 0) return html`<p class="empty">No event has come after the end of its window.</p>`
  const shown = counts.slice(0, Math.min(counts.length, last + 2))
  const most = Math.max(...shown)
  const labelOf = (i: number) =>
    upperBounds[i] === undefined ? `beyond ${secondsText(upperBounds[i - 1])}` : `up to ${secondsText(upperBounds[i])}`
  const bar = (count: number, i: number) => {
    const height = count === 0 ? 0 : Math.max(2, (HEIGHT * Math.log1p(count)) / Math.log1p(most))
    const late = i === 0 ? seconds <= 0 : (upperBounds[i - 1] ?? 0) >= seconds
    return svg`<rect class=${late ? 'late' : 'in-time'} x=${i * BAR + 1} y=${HEIGHT - height} width=${BAR - 2} height=${height}>
      <title>${labelOf(i)}: ${countText(count)}</title></rect>`
  }
  const words = `Late by ${labelOf(0)} to ${labelOf(last)}; the most in one bar are ${countText(most)}, at ${labelOf(shown.indexOf(most))}.`
  return html`<figure class="bars">
    <svg role="img" aria-label=${words} viewBox="0 0 ${shown.length * BAR} ${HEIGHT}" preserveAspectRatio="none">${shown.map(bar)}</svg>
    <figcaption>
      <span>${labelOf(0)}</span><span>filled: would be late; height: logarithm of the count</span><span>${labelOf(shown.length - 1)}</span>
    </figcaption>
  </figure>`
}

function reasons({ invalid, tolerated }: Answer<'quality'>): TemplateResult {
  const some = invalid.filter(({ records }) => records > 0)
  const forgiven = tolerated.filter(({ records }) => records > 0)
  const all = forgiven.map(({ kind, records }) => `${kind} ${countText(records)}`).join(', ')
  const list = html`<ul>${some.map(({ reason, records }) => html`<li>${reason}: ${countText(records)}</li>`)}</ul>`
  return html`${some.length === 0 ? html`<p class="empty">None.</p>` : list}
    ${all === '' ? nothing : html`<p class="note">Counted although their JSON is not as it should be: ${all}.</p>`}`
}
