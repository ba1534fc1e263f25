/** `ctr doctor`: looks at everything that an engine with this configuration needs, and says what to do about what is wrong. */
import { loadConfig } from '../config/load.ts'
import { diagnose } from '../doctor/doctor.ts'
import type { Diagnosis } from '../doctor/examine.ts'
import type { CheckPart } from '../doctor/finding.ts'
import { createLogger } from '../log.ts'
import { visible } from '../text.ts'
import { plainDiagnosis, renderDiagnosis } from './doctor-view.ts'
import type { DoctorOptions } from './options.ts'

/** What a bare terminal line has. */
const WIDTH_DEFAULT = 80

/** Runs the verb; gives the exit code: 1 with a fault, or with a warning when that is asked for. Throws CtrError CTR_CONFIG. */
export async function doctorVerb(options: DoctorOptions, parts?: readonly CheckPart[]): Promise<number> {
  const config = loadConfig({ file: options.config, sets: options.set })
  const log = createLogger({ ...config.log, level: 'silent' })
  const { progress, clear } = progressLine()
  const diagnosis = await diagnose(config, { timeoutMs: options.timeout, log, onSettled: progress, parts })
  clear()
  process.stdout.write(`${shown(diagnosis, options.json === true).join('\n')}\n`)
  const { fault, warning } = diagnosis.counts
  return fault > 0 || (options.strict === true && warning > 0) ? 1 : 0
}

function shown(diagnosis: Diagnosis, json: boolean): string[] {
  if (json) return [JSON.stringify({ counts: diagnosis.counts, checks: diagnosis.outcomes }, null, 2)]
  const { isTTY, columns } = process.stdout
  return isTTY === true ? renderDiagnosis(diagnosis, columns ?? WIDTH_DEFAULT) : plainDiagnosis(diagnosis)
}

/** One line of a terminal that says what is waited for; nothing elsewhere. */
function progressLine(): { progress?: (done: number, open: readonly string[]) => void; clear: () => void } {
  const { stderr } = process
  if (stderr.isTTY !== true) return { clear: () => undefined }
  const write = (text: string) => stderr.write(`\r\x1b[K${text}`)
  return {
    progress: (done, open) => {
      const [first, ...more] = open
      const others = more.length === 0 ? '' : ` and ${more.length} more`
      const line = first === undefined ? '' : `${done} of ${done + open.length} checks done, waiting for ${first}${others}`
      write(visible(line).slice(0, (stderr.columns ?? WIDTH_DEFAULT) - 1))
    },
    clear: () => write(''),
  }
}
