/** What is in effect, and who takes part. */
import { html, nothing, type TemplateResult } from 'lit-html'
import { withParams } from './address.ts'
import type { Answer } from './answers.ts'
import { answerTo } from './answers.ts'
import { ASK_CONFIG, ASK_PARTITIONS, stateIn } from './needs.ts'
import { type PageView, type Shown, searchField, staleNote, table, waiting } from './parts.ts'
import { filterRows } from './sorted-rows.ts'
import { countText, sinceText, timeText } from './words.ts'

type ConfigKey = Answer<'config'>['keys'][number]

/** The view. */
export function configView(page: PageView): TemplateResult {
  const config = answerTo(page.answers, ASK_CONFIG)
  return html`<h2>Member</h2>
    ${member(page, config)}
    <h2>Configuration</h2>
    ${staleNote(page, ASK_CONFIG)} ${config === undefined ? waiting(page, ASK_CONFIG) : keys(page, config)}`
}

function member({ answers }: PageView, config: Answer<'config'> | undefined): Shown {
  const state = stateIn(answers)
  if (state === undefined) return nothing
  const partitions = answerTo(answers, ASK_PARTITIONS)
  const numbers = partitions?.tasks.map(({ task }) => task).join(', ') ?? ''
  const { assigned, total } = state.tasks
  const others = total === null ? '' : ` of ${countText(total)} in the group; others have the rest`
  return html`<dl class="facts">
      <dt>group</dt>
      <dd class="id">${state.group}</dd>
      <dt>this member</dt>
      <dd class="id">${state.clientId}</dd>
      <dt>tenant</dt>
      <dd class="id">${state.tenant}</dd>
      <dt>tasks</dt>
      <dd>${countText(assigned)}${others}${numbers === '' ? nothing : `: ${numbers}`}</dd>
      <dt>versions</dt>
      <dd>ctr ${state.version}${config === undefined ? nothing : `, Node ${config.node}`}</dd>
      <dt>started</dt>
      <dd>${timeText(state.startedAt)} UTC, ${sinceText(state.startedAt, state.at)} ago</dd>
    </dl>
    ${state.certificates.length === 0 ? nothing : certificates(state)}`
}

function certificates({ certificates: all, at }: Answer<'state'>): TemplateResult {
  const left = (expiresAt: string) => (expiresAt < at ? 'has expired' : `for ${sinceText(at, expiresAt)} more`)
  return html`<h3>Certificates</h3>
    <ul>${all.map(({ key, expiresAt }) => html`<li><code>${key}</code> until ${timeText(expiresAt)} UTC, ${left(expiresAt)}</li>`)}</ul>`
}

function keys(page: PageView, { keys: all }: Answer<'config'>): TemplateResult {
  const { address, acts } = page
  const onlySet = address.params.all !== '1'
  const wanted = filterRows(all, address.params.filter ?? '', ({ key, value }) => `${key} ${valueText(value)}`)
  const shown = onlySet ? wanted.filter(({ isDefault }) => !isDefault) : wanted
  const onChange = () => acts.go(withParams(address, { all: onlySet ? '1' : '' }), true)
  return html`<div class="tools">
      ${searchField(page, 'Filter', 'filter')}
      <label><input type="checkbox" .checked=${!onlySet} @change=${onChange} /> defaults too</label>
      <span class="note">${shown.length} of ${all.length}; secrets are masked</span>
    </div>
    ${table<ConfigKey>(page, {
      caption: 'Configuration in effect',
      rows: shown,
      empty: 'No key: all are at their defaults, or the filter fits none.',
      columns: [
        { key: 'key', name: 'key', value: ({ key }) => key, cell: ({ key }) => html`<code>${key}</code>` },
        {
          key: 'value',
          name: 'value',
          value: ({ value }) => valueText(value),
          cell: ({ value }) => html`<code>${valueText(value)}</code>`,
        },
        { key: 'from', name: 'from', value: ({ isDefault }) => (isDefault ? 'default' : 'set') },
      ],
    })}`
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
