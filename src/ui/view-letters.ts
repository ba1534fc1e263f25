/** Dead letters by reason, with the shape of some of them and the byte at which they fail. */
import { html, nothing, type TemplateResult } from 'lit-html'
import type { Answer } from './answers.ts'
import { answerTo } from './answers.ts'
import { ASK_LETTERS } from './needs.ts'
import { type PageView, type Shown, searchField, staleNote, table, waiting } from './parts.ts'
import { filterRows } from './sorted-rows.ts'
import { clockText, countText } from './words.ts'

type LetterReason = Answer<'deadLetters'>['reasons'][number]
type LetterSample = Answer<'deadLetters'>['samples'][number]

/** The view. */
export function lettersView(page: PageView): TemplateResult {
  const letters = answerTo(page.answers, ASK_LETTERS)
  if (letters === undefined) return html`<h2>Dead letters</h2>${waiting(page, ASK_LETTERS)}`
  const samples = filterRows(
    letters.samples,
    page.address.params.filter ?? '',
    ({ topic, partition, reason }) => `${topic}/${partition} ${reason}`,
  )
  return html`<h2>Dead letters</h2>
    ${staleNote(page, ASK_LETTERS)}
    ${table<LetterReason>(page, {
      caption: 'Invalid records by reason',
      rows: letters.reasons.filter(({ records }) => records > 0),
      empty: 'No record was invalid since the process started.',
      columns: [
        { key: 'reason', name: 'reason', value: ({ reason }) => reason },
        { key: 'records', name: 'records', right: true, value: ({ records }) => records, cell: ({ records }) => countText(records) },
        {
          key: 'left',
          name: 'of them not kept',
          right: true,
          value: ({ leftOutRecords }) => leftOutRecords,
          cell: ({ leftOutRecords }) => countText(leftOutRecords),
        },
      ],
    })}
    <h3>Samples</h3>
    <p class="note">The newest ones. Letters stand for letters and 0 for digits: what a record holds is not shown here.</p>
    <div class="tools">${searchField(page, 'Filter', 'filter')}</div>
    ${samples.length === 0 ? html`<p class="empty">None.</p>` : nothing}
    <ul class="letters">
      ${samples.map((each) => sample(page, each))}
    </ul>`
}

function sample(
  { at: now }: PageView,
  { at, reason, topic, partition, offset, detail, masked, byteAtFault }: LetterSample,
): TemplateResult {
  return html`<li>
    <p>
      <strong>${reason}</strong> <span class="id">${topic}/${partition}</span> offset ${offset}, ${clockText(at, now)}
      ${detail === null ? nothing : html`<br />${detail}`}
    </p>
    ${masked === null ? nothing : html`<pre>${marked(masked, byteAtFault)}</pre>`}
  </li>`
}

/** The text with the character at fault marked, if it is in it. */
function marked(text: string, at: number | null): Shown {
  if (at === null) return text
  if (at >= text.length) return html`${text}<mark title="here, byte ${at}">⟨end⟩</mark>`
  return html`${text.slice(0, at)}<mark title="byte ${at}">${text.slice(at, at + 1)}</mark>${text.slice(at + 1)}`
}
