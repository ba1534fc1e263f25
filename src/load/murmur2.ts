/** The hash of Kafka's default partitioner: MurmurHash2 of a record's key, 32 bits, signed. Source: org.apache.kafka.common.utils.Utils. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  const byte = (at: number) => bytes[at] ?? 0
  const m = 0x5bd1e995
  let hash = 0x9747b28c ^ length
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    let word = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24)
    word = Math.imul(word, m)
    word ^= word >>> 24
    hash = Math.imul(hash, m) ^ Math.imul(word, m)
  }
  const rest = length & 3
  if (rest === 3) hash ^= byte(whole + 2) << 16
  if (rest >= 2) hash ^= byte(whole + 1) << 8
  if (rest >= 1) hash = Math.imul(hash ^ byte(whole), m)
  hash = Math.imul(hash ^ (hash >>> 13), m)
  return hash ^ (hash >>> 15)
}
