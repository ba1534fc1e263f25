/** Late events to their output, when the configuration names one: with their bytes, and how late they were. */
import { readEnvelope } from '../batch/record-envelope.ts'
import type { Clock } from '../clock.ts'
import type { ValueText } from '../format/format.ts'
import type { LateEvent, LateEvents } from '../ingest/late.ts'
import type { Output } from './output.ts'
import { RAW_MAX_BYTES } from './rejected-input.ts'
import { valueJson } from './value-json.ts'

const MESSAGE = 'the window of the event was closed for good'

/** The ingest's view of the late events' output. `writer` names this engine in each; `texts` is as for dead letters. */
export function lateEvents(
  output: Output,
  writer: string,
  topics: readonly string[],
  clock: Clock,
  texts: readonly (ValueText | undefined)[] = [],
): LateEvents {
  return {
    get full() {
      return output.full
    },
    take({ cursor, recordAt, offset, element, start, end, time, lateMs }: LateEvent) {
      const { records, header, partition } = cursor
      output.put({
        kind: 'late',
        writer,
        topic: topics[partition.topicIndex] ?? '',
        partition: partition.partition,
        offset,
        element,
        envelope: () => readEnvelope(records, recordAt, header),
        asJson: valueJson(texts[partition.topicIndex], records, end - start > RAW_MAX_BYTES ? undefined : recordAt),
        reason: 'LATE',
        message: MESSAGE,
        bytes: records.subarray(start, Math.min(end, start + RAW_MAX_BYTES)),
        truncated: end - start > RAW_MAX_BYTES,
        eventTime: time,
        lateMs,
        createdAt: clock(),
      })
    },
  }
}
