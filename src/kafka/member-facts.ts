/**
 * What a member of the group says of itself with every join, as JSON in the user data of its subscription:
 *
 *   {"v":1,"tasks":[0,3],"generation":17,"host":"ctr-0","pid":1}
 *
 * The leader reads it to leave tasks where they are (co-partition-assigner.ts); host and pid are for people. It changes only with a new
 * assignment: a member that joins again with other bytes makes all others join too.
 * The subscription itself has version 0 of Kafka's consumer protocol, which is what kafkajs writes; brokers read its topics.
 */
import kafkajs from 'kafkajs'
import { LIMITS } from '../config/limits.ts'

/** `tasks` were owned in `generation`; -1 before the first one. `host` and `pid` name the process. */
export interface MemberFacts {
  readonly tasks: readonly number[]
  readonly generation: number
  readonly host: string
  readonly pid: number
}

const VERSION = 1
const SUBSCRIPTION_VERSION = 0

/** A subscription to `topics` with the facts in it. */
export function encodeSubscription(topics: string[], { tasks, generation, host, pid }: MemberFacts): Buffer {
  const userData = Buffer.from(JSON.stringify({ v: VERSION, tasks, generation, host, pid }))
  return kafkajs.AssignerProtocol.MemberMetadata.encode({ version: SUBSCRIPTION_VERSION, topics, userData })
}

/** The facts in a subscription; undefined when there are none, as of members of other versions and while a group rebalances. */
export function decodeFacts(subscription: Buffer): MemberFacts | undefined {
  if (subscription.length > LIMITS.memberFactsMaxBytes) return undefined
  try {
    const text = kafkajs.AssignerProtocol.MemberMetadata.decode(subscription)?.userData.toString()
    const { v, tasks, generation, host, pid } = JSON.parse(text ?? '') as Record<string, unknown>
    const whole = v === VERSION && Array.isArray(tasks) && tasks.every(isCount) && Number.isSafeInteger(generation)
    if (!whole || typeof host !== 'string' || !isCount(pid) || pid === 0) return undefined
    return { tasks, generation: generation as number, host, pid }
  } catch {
    return undefined
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
