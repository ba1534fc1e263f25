/**
 * What the coordinator says of a group, and what the user may do with it: DescribeGroups in version 3 (Kafka 2.3 and later), which kafkajs
 * does not speak. A string has its length before it as i16, bytes and lists theirs as i32.
 *
 *   request    [group string], with_operations i8
 *   response   throttle_time i32, [error i16, group string, state string, protocol type string, protocol string,
 *                [member string, client string, host string, subscription bytes, assignment bytes], operations i32]
 */
/** The newest version that is not written in the flexible way. */
export const GROUP_RIGHTS_VERSION = 3

/** A group as its coordinator describes it; `memberAssignment` is empty while the group rebalances. */
export interface DescribedGroup {
  readonly state: string
  readonly members: readonly { readonly memberId: string; readonly clientId: string; readonly memberAssignment: Buffer }[]
}

/** A group, there or not: one that is not has the state Dead. */
export interface GroupFacts extends DescribedGroup {
  /** Kafka's own; 0 for none. */
  readonly errorCode: number
  /** What kind of members it has, `consumer`; and how they deal tasks out. Empty while it has none. */
  readonly protocolType: string
  readonly protocol: string
  /** What the user may do with it: a bit for each of Kafka's operations, at its number. */
  readonly operations: number
}

/** What follows the client's id in the request. */
export function encodeDescribeGroup(groupId: string): Buffer {
  const name = Buffer.from(groupId)
  const bytes = Buffer.alloc(7 + name.length)
  bytes.writeInt32BE(1, 0)
  bytes.writeInt16BE(name.length, 4)
  name.copy(bytes, 6)
  bytes.writeInt8(1, 6 + name.length)
  return bytes
}

/** The one group of a response, out of what follows its correlation id. */
export function decodeGroup(body: Buffer): GroupFacts {
  let at = 8
  const text = () => {
    const length = Math.max(0, body.readInt16BE(at))
    at += 2 + length
    return body.toString('utf8', at - length, at)
  }
  const bytes = () => {
    const length = Math.max(0, body.readInt32BE(at))
    at += 4 + length
    return body.subarray(at - length, at)
  }
  const errorCode = body.readInt16BE(at)
  at += 2
  text()
  const [state, protocolType, protocol] = [text(), text(), text()]
  const count = body.readInt32BE(at)
  at += 4
  const members: DescribedGroup['members'][number][] = []
  for (let i = 0; i < count; i++) {
    const [memberId, clientId] = [text(), text()]
    text()
    bytes()
    members.push({ memberId, clientId, memberAssignment: bytes() })
  }
  return { errorCode, state, protocolType, protocol, members, operations: body.readInt32BE(at) }
}
