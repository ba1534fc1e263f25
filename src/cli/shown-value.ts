/** Values of records as `privacy` lets people see them. */
import { eventsConfigOf } from '../config/events-section.ts'
import type { Config } from '../config/schema.ts'
import { valueTexts } from '../format/format.ts'
import type { Schemas } from '../format/schemas.ts'
import { MASKED } from '../privacy/mask.ts'
import type { Privacy } from '../privacy/privacy.ts'
import type { ShownSpan } from '../probe/json-spans.ts'
import type { SampledRecord } from '../probe/sampled-record.ts'

/** A record's value, and where its byte `at` is in that; -1 for nowhere. */
export type ShowValue = (record: SampledRecord, at: number) => ShownSpan

/** `schemas`: where those come from that records name. */
export function showsByPrivacy(config: Config, privacy: Privacy, schemas: Schemas | undefined): ShowValue {
  const { topics } = config.kafka
  const texts = valueTexts(
    topics.map((topic) => ({ ...topic, events: eventsConfigOf(config.events, topic.events) })),
    schemas,
  )
  const textOf = new Map(topics.map(({ name }, i) => [name, texts[i]]))
  return ({ topic, value, headerBytes }, at) => {
    const bytes = value ?? new Uint8Array(0)
    const whole = Buffer.concat([bytes, headerBytes ?? new Uint8Array(0)])
    const asJson = () => textOf.get(topic)?.(whole, 0, bytes.length, whole.length)
    const masked = privacy.value(bytes, topic, 'record', { mark: at, asJson })
    return masked === undefined ? { text: MASKED, at: -1 } : { text: masked.text, at: masked.markAt }
  }
}
