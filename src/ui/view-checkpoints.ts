/** Checkpoints and savepoints: which there are, what a start would use, and for operators taking and removing them. */
import { html, nothing, type TemplateResult } from 'lit-html'
import { withParams } from './address.ts'
import type { Answer } from './answers.ts'
import { answerTo } from './answers.ts'
import { ASK_CHECKPOINTS, stateIn } from './needs.ts'
import { figure, type PageView, type Shown, staleNote, table, waiting } from './parts.ts'
import { bytesText, countText, secondsText, sinceText, timeText } from './words.ts'

type CheckpointRow = Answer<'checkpoints'>['checkpoints'][number]

/** The view. */
export function checkpointsView(page: PageView): TemplateResult {
  const answer = answerTo(page.answers, ASK_CHECKPOINTS)
  return html`<h2>Checkpoints</h2>
    ${figures(page)} ${staleNote(page, ASK_CHECKPOINTS)} ${answer === undefined ? waiting(page, ASK_CHECKPOINTS) : kept(page, answer)}`
}

function figures({ answers }: PageView): Shown {
  const state = stateIn(answers)
  if (state === undefined) return nothing
  const { checkpoint, ifItDiedNow } = state
  const { duration } = checkpoint
  return html`<dl class="figures">
    ${figure('the last one is old', secondsText(checkpoint.ageSeconds), checkpoint.enabled ? '' : 'off: checkpoint.storage is not set')}
    ${figure('took, p95', secondsText(duration.p95Seconds), `${countText(duration.count)} so far, p50 ${secondsText(duration.p50Seconds)}`)}
    ${figure('size', bytesText(checkpoint.sizeBytes), `${countText(checkpoint.cells)} cells`)}
    ${figure('failed', countText(checkpoint.failures), `workers stood still for ${secondsText(checkpoint.pauseSeconds)}`)}
    ${figure('a start would read again', countText(ifItDiedNow.recordsAgain), `from ${ifItDiedNow.checkpointId ?? ifItDiedNow.from}`)}
  </dl>`
}

function kept(page: PageView, { checkpoints, storage, unreadable, enabled }: Answer<'checkpoints'>): TemplateResult {
  const used = stateIn(page.answers)?.ifItDiedNow.checkpointId
  return html`<p class="note">${enabled ? html`kept in <code>${storage}</code>` : 'No checkpoints are taken.'}</p>
    ${enabled && !page.recorded ? savepointForm(page) : nothing}
    ${table<CheckpointRow>(page, {
      caption: 'Checkpoints and savepoints',
      rows: checkpoints,
      empty: 'There is none yet.',
      rowClass: ({ id }) => (id === used ? 'used' : ''),
      columns: [
        {
          key: 'id',
          name: 'checkpoint',
          value: ({ id }) => id,
          cell: ({ id }) => html`<code>${id}</code>${id === used ? html` <small>a start would use it</small>` : nothing}`,
        },
        { key: 'savepoint', name: 'savepoint', value: ({ savepoint }) => savepoint, cell: (row) => savepointCell(page, row) },
        {
          key: 'created',
          name: 'taken, UTC',
          value: ({ createdAt }) => createdAt,
          cell: (row) => html`${timeText(row.createdAt)} <small>${sinceText(row.createdAt, page.at)} ago</small>`,
        },
        { key: 'watermark', name: 'watermark', value: ({ watermark }) => watermark, cell: ({ watermark }) => timeText(watermark) },
        { key: 'tasks', name: 'tasks', right: true, value: ({ tasks }) => tasks, cell: ({ tasks }) => countText(tasks) },
        { key: 'windows', name: 'windows', right: true, value: ({ windows }) => windows, cell: ({ windows }) => countText(windows) },
        { key: 'cells', name: 'cells', right: true, value: ({ cells }) => cells, cell: ({ cells }) => countText(cells) },
        { key: 'size', name: 'size', right: true, value: ({ sizeBytes }) => sizeBytes, cell: ({ sizeBytes }) => bytesText(sizeBytes) },
        { key: 'writer', name: 'written by', value: ({ writer }) => writer },
      ],
    })}
    ${unreadable.length === 0 ? nothing : html`<h3>Not readable</h3><ul>${unreadable.map((each) => html`<li>${each}</li>`)}</ul>`}`
}

function savepointForm({ acts }: PageView): TemplateResult {
  const onSubmit = (event: SubmitEvent) => {
    event.preventDefault()
    const form = event.target as HTMLFormElement
    acts.takeSavepoint(String(new FormData(form).get('name') ?? ''))
    form.reset()
  }
  return html`<form class="tools" @submit=${onSubmit}>
    <label>New savepoint <input name="name" required autocomplete="off" maxlength="100" placeholder="before-upgrade" /></label>
    <button>Take it</button> <span class="note">for operators</span>
  </form>`
}

/** Its name; a first press asks, a second one removes. */
function savepointCell({ acts, address, recorded }: PageView, { savepoint }: CheckpointRow): Shown {
  if (savepoint === null) return ''
  if (recorded) return savepoint
  const meant = address.params.remove === savepoint
  const ask = () => acts.go(withParams(address, { remove: savepoint }), true)
  const leave = () => acts.go(withParams(address, { remove: '' }), true)
  const remove = () => {
    leave()
    acts.removeSavepoint(savepoint)
  }
  if (!meant) return html`${savepoint} <button aria-label="Remove savepoint ${savepoint}" @click=${ask}>remove</button>`
  return html`${savepoint} <button class="danger" @click=${remove}>remove for good</button> <button @click=${leave}>keep</button>`
}
