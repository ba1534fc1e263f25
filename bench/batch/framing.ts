/** Record batches and the records in them, found and not read. */
import { BATCH_HEADER_BYTES, BatchHeader, readBatchHeader, varint, varintSize } from '../../src/batch/record-batch.ts'
import type { StageMaker } from '../stage.ts'
import { generateBatches } from '../support/batches.ts'

export const framingStages: StageMaker = (quick) => {
  const { bytes, batches, events } = generateBatches(quick ? 2_000 : 20_000)
  const header = new BatchHeader()
  return [
    { name: 'framing: batch headers', unit: 'batch', units: batches, expected: events, run: () => readHeaders(bytes, header) },
    { name: 'framing: records', unit: 'event', units: events, expected: events, run: () => walkRecords(bytes, header) },
  ]
}

function readHeaders(bytes: Uint8Array, header: BatchHeader): number {
  let events = 0
  for (let at = 0; readBatchHeader(bytes, at, bytes.length, header); at += header.sizeBytes) events += header.count
  return events
}

/** The walk of ingest, without what it does with a value. Counts the records whose value ends where their record does. */
function walkRecords(bytes: Uint8Array, header: BatchHeader): number {
  let whole = 0
  for (let batch = 0; readBatchHeader(bytes, batch, bytes.length, header); batch += header.sizeBytes) {
    let at = batch + BATCH_HEADER_BYTES
    for (let left = header.count; left > 0; left--) {
      const body = at + varintSize(bytes, at)
      const next = body + varint(bytes, at)
      let p = body + 1
      p += varintSize(bytes, p)
      p += varintSize(bytes, p)
      const keyLength = varint(bytes, p)
      p += varintSize(bytes, p) + keyLength
      const valueLength = varint(bytes, p)
      p += varintSize(bytes, p) + valueLength
      // What is left is the number of headers, 0.
      if (p + 1 === next) whole++
      at = next
    }
  }
  return whole
}
