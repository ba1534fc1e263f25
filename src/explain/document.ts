/** The generated part of docs/errors.md: each code with a heading of its own, so that it can be linked to; metrics as a table. */
import { CODE_GROUPS, type CodeGroup, type Explanation, explanations } from './explain.ts'

/** Markdown, from the first heading on. Alerts are left to the runbook. */
export function codesDocument(): string {
  const all = explanations()
  const groups = Object.entries(CODE_GROUPS) as [CodeGroup, string][]
  return groups
    .map(([group, title]) => {
      const own = all.filter((each) => each.group === group)
      const text = group === 'alerts' ? alertList(own) : group === 'metrics' ? metricTable(own) : own.map(section).join('\n\n')
      return `## ${headingOf(group)}\n\n${title.replaceAll(/(ctr_\w+|\/readyz|\/metrics|k8s\/\S+)/g, '`$1`')}.\n\n${text}`
    })
    .join('\n\n')
}

function headingOf(group: CodeGroup): string {
  return group.charAt(0).toUpperCase() + group.slice(1)
}

function section({ code, means, notice, facts, commands, keys, more }: Explanation): string {
  return [
    `### ${code}`,
    [marked(means), ...facts.map(marked)].join(' '),
    `**Users notice.** ${marked(notice)}`,
    `\`\`\`\n${commands.join('\n')}\n\`\`\``,
    `${keys.length === 0 ? '' : `**Keys.** ${listed(keys)}. `}**More.** [${more}](${more})`,
  ].join('\n\n')
}

function alertList(alerts: readonly Explanation[]): string {
  return alerts.map(({ code, means, more }) => `- [${code}](${more}): ${marked(means)}`).join('\n')
}

function metricTable(metrics: readonly Explanation[]): string {
  const rows = metrics.map(({ code, notice, facts, keys }) => {
    const alerts =
      facts
        .find((fact) => fact.startsWith('Alerts'))
        ?.replace('Alerts on it: ', '')
        .replace(/\.$/, '') ?? ''
    return `| \`${code}\` | ${notice} | ${listed(keys)} | ${alerts} |`
  })
  return ['| metric | users notice | keys | alerts |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function listed(keys: readonly string[]): string {
  return keys.map((key) => `\`${key}\``).join(', ')
}

/** Keys in a text as code. */
function marked(text: string): string {
  return text.replaceAll(/(?<![\w`/.])((?:events|time|late|state|sink|kafka|deadLetter)(?:\.\w+)+|\/readyz)(?![\w`])/g, '`$1`')
}
