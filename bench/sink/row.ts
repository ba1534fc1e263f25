/** Rows as RowBinary. */
import { encodeTenant } from '../../src/products/key.ts'
import { rowFrame, rowMaxBytes, writeRow } from '../../src/sink/row-binary.ts'
import { readRow } from '../../workshop/read-row.ts'
import type { StageMaker } from '../stage.ts'

const PRODUCT = Buffer.from('p-0000001')
const START = 1_767_225_600_000

export const rowStages: StageMaker = (quick) => {
  const rows = quick ? 100 : 1_000
  const tenant = encodeTenant('default')
  const out = new Uint8Array(rows * rowMaxBytes(tenant))
  const view = new DataView(out.buffer)
  const frame = rowFrame(START, START + 10_000, 3, 0, START)
  const run = () => {
    let at = 0
    for (let i = 0; i < rows; i++) {
      at = writeRow(out, view, at, tenant, PRODUCT, 0, PRODUCT.length, frame, i, i >> 2)
    }
    return at
  }
  run()
  let end = 0
  for (let i = 0; i < rows; i++) {
    const { row, end: next } = readRow(out, end)
    if (row.product !== String(PRODUCT) || row.impressions !== i || row.clicks !== i >> 2)
      throw new Error(`row ${i} reads as ${JSON.stringify(row)}`)
    end = next
  }
  return [{ name: 'row: RowBinary', unit: 'row', units: rows, expected: end, run }]
}
