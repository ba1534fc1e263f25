/** `ctr config check --sample`: what becomes of the last records of each topic with this configuration. */
import { eventsConfigOf } from '../config/events-section.ts'
import { loadConfig } from '../config/load.ts'
import { CtrError } from '../errors.ts'
import { FIELD_TYPE } from '../format/event-rules.ts'
import { TopicReader } from '../kafka/topic-reader.ts'
import { createLogger } from '../log.ts'
import { privacyOf } from '../privacy/privacy.ts'
import { topicText } from '../probe/config-text.ts'
import { type ComingSchemas, RecordJudge } from '../probe/judge.ts'
import { reportOn } from '../probe/report.ts'
import { lastRecords, type TopicSample } from '../probe/sample.ts'
import { describeOutcome, outcomeOf, sampleFaults } from '../probe/sample-outcome.ts'
import { readWritten } from '../probe/written-values.ts'
import { clientOptions } from '../run/clients.ts'
import { schemasOf, schemasToLookAt } from '../run/schemas.ts'
import { formatRatio, visible } from '../text.ts'
import type { ConfigOptions } from './options.ts'
import { showsByPrivacy } from './shown-value.ts'

/** What would count more of the sample, as it is to be written; '' for nothing. */
async function betterMapping(sample: TopicSample, counted: number, schemas: ComingSchemas): Promise<string> {
  const { reading } = await readWritten(sample.records, schemas)
  const report = reportOn(sample, reading)
  if (report.counted <= counted) return ''
  const share = formatRatio(report.counted / sample.records.length)
  return `  ${share} of the records would be counted with this in kafka.topics:\n\n${topicText(report)}\n`
}

/** Prints it. Throws CtrError CTR_INPUT when more than the share `maxInvalid` of a topic is invalid, or nothing of it is counted. */
export async function checkSample(options: ConfigOptions, records: number, maxInvalid: number): Promise<void> {
  const config = loadConfig({ file: options.config, sets: options.set })
  const { topics, maxBatchBytes } = config.kafka
  const log = createLogger({ ...config.log, level: 'silent' })
  const reader = new TopicReader(clientOptions(config, log), maxBatchBytes)
  const schemas = schemasOf(config, log)
  const looking = schemasToLookAt(config, log)
  const privacy = privacyOf(config)
  const show = privacy && showsByPrivacy(config, privacy, schemas)
  const judge = new RecordJudge(config, schemas)
  const faults: string[] = []
  try {
    await reader.connect()
    for (const { name, format, events: own } of topics) {
      const sample = await lastRecords(reader, name, records, maxBatchBytes)
      const events = eventsConfigOf(config.events, own)
      for (const record of sample.records) await judge.ready(record)
      const outcome = outcomeOf(sample, judge, events)
      const masking = privacy && show && { hidesTypes: !privacy.keeps(FIELD_TYPE, name), show }
      process.stdout.write(`${visible(describeOutcome(outcome, events, format, masking).join('\n'))}\n`)
      const found = sampleFaults(outcome, maxInvalid)
      // What is proposed names fields and types that were seen.
      if (found.length > 0 && privacy === undefined) {
        process.stdout.write(visible(await betterMapping(sample, outcome.counted, looking)))
      }
      faults.push(...found)
    }
  } finally {
    await Promise.all([reader.close(), schemas?.close(), looking.close()])
  }
  if (faults.length > 0) throw new CtrError('CTR_INPUT', faults.join('; '))
}
