/** The sections of docs/runbook.md, one for each alert, with what its rules say. */
import { ALERTS } from './rules.ts'

/** Markdown, from the first section's heading on. */
export function runbookSections(): string {
  return ALERTS.map(({ name, rules, runbook }) => {
    const { means, notice, commands, ends } = runbook
    const severities = [...new Set(rules.map(({ severity }) => severity))].join(', ')
    const summaries = rules.length > 3 ? '' : ` · ${[...new Set(rules.map(({ summary }) => summary))].join(' ')}`
    return [
      `## ${name}`,
      `${severities}${summaries}`,
      `**It means.** ${means}`,
      `**Users notice.** ${notice}`,
      `**First.**`,
      `\`\`\`\n${commands.join('\n')}\n\`\`\``,
      `**It ends.** ${ends}`,
    ].join('\n\n')
  }).join('\n\n')
}
