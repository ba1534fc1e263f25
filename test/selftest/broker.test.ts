/** What a self-test has made on the brokers goes away again, whatever they answer for a moment. */
import kafkajs from 'kafkajs'
import { expect, test } from 'vitest'
import { deleteGroup } from '../../src/selftest/broker.ts'

/** Answers a deletion with these errors, one a time, and then does it. */
function coordinator(...types: string[]) {
  const left = [...types]
  const deleteGroups = async (groupIds: string[]) => {
    const type = left.shift()
    if (type === undefined) return []
    const error = Object.assign(new Error(type), { type })
    throw Object.assign(new kafkajs.KafkaJSError('Error in DeleteGroups'), { groups: [{ groupId: groupIds[0], errorCode: 1, error }] })
  }
  return { deleteGroups, left }
}

test.each(['NOT_COORDINATOR_FOR_GROUP', 'GROUP_LOAD_IN_PROGRESS', 'NON_EMPTY_GROUP', 'REQUEST_TIMED_OUT'])(
  'a group is deleted though the coordinator answers %s for a while',
  async (type) => {
    const admin = coordinator(type, type)
    await deleteGroup(admin, 'ctr-selftest-1', 0)
    expect(admin.left).toEqual([])
  },
)

test('a group that is gone already is deleted', async () => {
  await deleteGroup(coordinator('GROUP_ID_NOT_FOUND'), 'ctr-selftest-1', 0)
})

test('a right that is refused is told at once', async () => {
  const admin = coordinator('GROUP_AUTHORIZATION_FAILED', 'GROUP_AUTHORIZATION_FAILED')
  await expect(deleteGroup(admin, 'ctr-selftest-1', 0)).rejects.toThrow('GROUP_AUTHORIZATION_FAILED')
  expect(admin.left).toHaveLength(1)
})
