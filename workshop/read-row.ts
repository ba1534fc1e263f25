/** Rows as the engine writes them, read without its code. */
import assert from 'node:assert/strict'
import type { OracleRow } from './oracle.ts'

/** Reads one RowBinary row of ctr_results, independently of its writer; `named`: it ends with the name of its windows. */
export function readRow(bytes: Uint8Array, start: number, named = false): { row: OracleRow; end: number } {
  const copy = Buffer.from(bytes.subarray(start, start + 1024))
  let at = 0
  const text = () => {
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = copy[at++]!
      length |= (byte & 127) << shift
      if (byte < 128) break
    }
    at += length
    return copy.toString('utf8', at - length, at)
  }
  const int64 = () => {
    at += 8
    return Number(copy.readBigInt64LE(at - 8))
  }
  const tenant = text()
  const product = text()
  const windowStart = int64()
  const windowEnd = int64()
  const task = copy.readUInt32LE(at)
  at += 4
  const impressions = int64()
  const clicks = int64()
  const ctr = copy.readDoubleLE(at)
  at += 8
  const version = int64()
  int64()
  if (named) assert.equal(text(), 'sliding')
  return { row: { tenant, product, windowStart, windowEnd, task, impressions, clicks, ctr, version }, end: start + at }
}
