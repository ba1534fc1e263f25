/** Reads topics back, whole, with kafkajs as it comes: no code of the engine takes part. */
import { randomUUID } from 'node:crypto'
import kafkajs from 'kafkajs'
import type { OracleRecord } from './oracle.ts'

/** Gives every record up to the present end offsets to `take`, those of a partition in offset order. Returns how many there were. */
export async function readBack(
  brokers: readonly string[],
  topics: readonly string[],
  take: (record: OracleRecord) => void,
): Promise<number> {
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING })
  const left = new Map<string, number>()
  const admin = kafka.admin()
  await admin.connect()
  for (const topic of topics) {
    for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) {
      if (Number(high) > Number(low)) left.set(`${topic}/${partition}`, Number(high))
    }
  }
  await admin.disconnect()
  if (left.size === 0) return 0

  let count = 0
  const consumer = kafka.consumer({ groupId: `read-back-${randomUUID()}` })
  await consumer.connect()
  await consumer.subscribe({ topics: [...topics], fromBeginning: true })
  try {
    await new Promise<void>((resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
      const eachBatch = async ({ batch, heartbeat }: kafkajs.EachBatchPayload) => {
        const { topic, partition } = batch
        const end = left.get(`${topic}/${partition}`)
        if (end === undefined) return
        for (const { offset, timestamp, value } of batch.messages) {
          if (Number(offset) >= end) break
          take({ topic, partition, offset: Number(offset), recordTimestamp: Number(timestamp), value })
          count++
        }
        if (Number(batch.lastOffset()) + 1 >= end) left.delete(`${topic}/${partition}`)
        if (left.size === 0) resolve()
        await heartbeat()
      }
      consumer.run({ autoCommit: false, eachBatch }).catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return count
}
