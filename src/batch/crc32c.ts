/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as Kafka's record batches carry it.
 *
 * Short inputs: slicing by eight, eight bytes a step through eight tables of 256 words (8 KiB). Longer ones are folded first, without any
 * table. The polynomial divides x^209 + x^144 + x^54 + x^39 + x^14 + 1, its shortest multiple with so few terms; over GF(2) it divides the
 * 64th power of that too, which has the same terms with x^64 for x. So the message is divided by that, a lane of 64 bits a step,
 *
 *   quotient[i] = message[i] ^ quotient[i - 65] ^ quotient[i - 155] ^ quotient[i - 170] ^ quotient[i - 195] ^ quotient[i - 209]
 *
 * and the remainder, 209 lanes that have the CRC of all the message, is left to the tables.
 *
 * V8 makes no BigInt of this once the loop is optimised, in the middle of the first long input: a lane is a load, five XORs with memory
 * and a store. Others measured, over 64 KiB, as multiples of its time: lanes of 32 bits 1.6; slicing by eight over bytes 5.1, over aligned
 * words 3.5; three or four blocks side by side, combined afterwards, 4.8 to 5.1, through tables of 2,048 words 3.8, of 65,536 words 4.1.
 * A table of its own for each of the eight bytes, and those lookups last that wait for the step before, gain a fifth, until the thread
 * detaches any buffer: from then on V8 checks every such table anew for each lookup, and they lose a tenth.
 */

const DEGREE = 209
const LANE_BYTES = 8
const CHUNK_LANES = 512
/** What is shorter isn't worth folding. */
const FOLD_MIN_LANES = DEGREE + 64

/** The last DEGREE lanes of the quotient, then a chunk of the message that becomes quotient in place. */
const lanes = new BigInt64Array(DEGREE + CHUNK_LANES)
const laneBytes = Buffer.from(lanes.buffer)
const chunk = lanesBefore(0)
const back65 = lanesBefore(65)
const back155 = lanesBefore(155)
const back170 = lanesBefore(170)
const back195 = lanesBefore(195)
const back209 = lanesBefore(209)
/** Where the lanes that remain are put, past the zeros that follow the quotient. */
const rest = lanes.subarray(2 * DEGREE, 3 * DEGREE)

const TABLE_WORDS = 256
const STEP_BYTES = 8
const tables = buildTables()

/** CRC-32C of `bytes` from `start` up to `end`, as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  const count = (end - start) >> 3
  if (count < FOLD_MIN_LANES) return ~slices(-1, bytes, start, end) >>> 0
  const restAt = start + (count - DEGREE) * LANE_BYTES
  fold(bytes, start, restAt)
  reduce(bytes, restAt)
  return ~slices(slices(0, laneBytes, 0, DEGREE * LANE_BYTES), bytes, restAt + DEGREE * LANE_BYTES, end) >>> 0
}

/** Divides all but the lanes that remain. */
function fold(bytes: Uint8Array, start: number, end: number): void {
  lanes.fill(0n, 0, DEGREE)
  lanes[0] = 0xffff_ffffn // Taken up by the first lane alone: a CRC begins with all ones.
  for (let at = start; at < end; ) {
    const count = Math.min((end - at) / LANE_BYTES, CHUNK_LANES)
    take(bytes, at, count, DEGREE)
    foldChunk(count)
    lanes.copyWithin(0, count, count + DEGREE)
    at += count * LANE_BYTES
  }
}

/** A function of its own: inside the loop around it, it would run in code that doesn't know where the lanes are. */
function foldChunk(count: number): void {
  for (let i = 0; i < count; i++) chunk[i] = chunk[i]! ^ back65[i]! ^ back155[i]! ^ back170[i]! ^ back195[i]! ^ back209[i]!
}

/** Puts the remainder into the first DEGREE lanes, in place: none reads a lane before its own. */
function reduce(bytes: Uint8Array, at: number): void {
  lanes.fill(0n, DEGREE, 2 * DEGREE)
  take(bytes, at, DEGREE, 2 * DEGREE)
  for (let i = 0; i < DEGREE; i++) lanes[i] = rest[i]! ^ back65[i]! ^ back155[i]! ^ back170[i]! ^ back195[i]! ^ back209[i]!
}

/** Copies `count` lanes of the message. */
function take(bytes: Uint8Array, at: number, count: number, lane: number): void {
  Buffer.prototype.copy.call(bytes, laneBytes, lane * LANE_BYTES, at, at + count * LANE_BYTES)
}

function lanesBefore(distance: number): BigInt64Array {
  return lanes.subarray(DEGREE - distance, DEGREE - distance + CHUNK_LANES)
}

/**
 * Goes on over bytes[start, end) from the register `before`. Signed all the way: an unsigned result in here makes V8 throw its
 * optimised code away, again and again.
 */
function slices(before: number, bytes: Uint8Array, start: number, end: number): number {
  const t = tables
  let crc = before
  let at = start
  for (const stop = end - STEP_BYTES; at <= stop; at += STEP_BYTES) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    crc =
      t[1792 + (low & 255)]! ^
      t[1536 + ((low >>> 8) & 255)]! ^
      t[1280 + ((low >>> 16) & 255)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^
      t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 255]!
  return crc
}

/** tables[k * 256 + b] = CRC of byte b followed by k zero bytes. */
function buildTables(): Int32Array {
  const built = new Int32Array(STEP_BYTES * TABLE_WORDS)
  for (let byte = 0; byte < TABLE_WORDS; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f63b78
    built[byte] = crc
  }
  for (let at = TABLE_WORDS; at < built.length; at++) {
    const shorter = built[at - TABLE_WORDS]!
    built[at] = (shorter >>> 8) ^ built[shorter & 255]!
  }
  return built
}
