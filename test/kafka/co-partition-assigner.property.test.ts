import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assignTasks, type Claimant } from '../../src/kafka/co-partition-assigner.ts'

const taskCounts = fc.nat(24)
const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 7 })
const claims = fc.option(fc.record({ tasks: fc.uniqueArray(fc.nat(30)), generation: fc.integer({ min: -1, max: 3 }) }), { nil: undefined })
const claimants = fc.uniqueArray(fc.record({ memberId: fc.string({ minLength: 1, maxLength: 4 }), owned: claims }), {
  minLength: 1,
  maxLength: 7,
  selector: ({ memberId }) => memberId,
})

const sorted = (tasks: Iterable<number>) => [...tasks].toSorted((one, other) => one - other)

function claiming(assigned: ReadonlyMap<string, readonly number[]>): Claimant[] {
  return [...assigned].map(([memberId, tasks]) => ({ memberId, owned: { tasks, generation: 1 } }))
}

/** Tasks that one of `after` has and another member had before. */
function movesOf(before: ReadonlyMap<string, readonly number[]>, after: ReadonlyMap<string, readonly number[]>): number {
  let moves = 0
  for (const [id, tasks] of after) for (const task of tasks) if (before.get(id)?.includes(task) === false || !before.has(id)) moves++
  return moves
}

test('every task has one owner, loads differ by at most one, and the order of members does not matter', () => {
  fc.assert(
    fc.property(claimants, taskCounts, (members, taskCount) => {
      const assigned = assignTasks(members, taskCount)
      expect([...assigned.keys()].toSorted()).toEqual(members.map(({ memberId }) => memberId).toSorted())
      expect(sorted([...assigned.values()].flat())).toEqual(Array.from({ length: taskCount }, (_, task) => task))
      const loads = [...assigned.values()].map((tasks) => tasks.length)
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
      expect(assignTasks(members.toReversed(), taskCount)).toEqual(assigned)
    }),
  )
})

test('without a change nothing moves', () => {
  fc.assert(
    fc.property(ids, taskCounts, (members, taskCount) => {
      const first = assignTasks(claiming(new Map(members.map((id) => [id, []]))), taskCount)
      expect(assignTasks(claiming(first), taskCount)).toEqual(first)
    }),
  )
})

test('one that joins takes its share, and nothing else moves', () => {
  fc.assert(
    fc.property(ids, taskCounts, fc.string({ minLength: 5, maxLength: 6 }), (members, taskCount, newcomer) => {
      const before = assignTasks(claiming(new Map(members.map((id) => [id, []]))), taskCount)
      const after = assignTasks([...claiming(before), { memberId: newcomer, owned: undefined }], taskCount)
      expect(movesOf(before, after)).toBe(after.get(newcomer)?.length)
      expect(after.get(newcomer)?.length).toBe(Math.floor(taskCount / (members.length + 1)))
    }),
  )
})

test('what one that leaves had is dealt out, and nothing else moves', () => {
  fc.assert(
    fc.property(ids, taskCounts, fc.nat(), (members, taskCount, which) => {
      if (members.length < 2) return
      const before = assignTasks(claiming(new Map(members.map((id) => [id, []]))), taskCount)
      const gone = members[which % members.length] ?? ''
      const rest = claiming(before).filter(({ memberId }) => memberId !== gone)
      expect(movesOf(before, assignTasks(rest, taskCount))).toBe(before.get(gone)?.length)
    }),
  )
})

test('no balanced assignment moves fewer of the tasks that belong to somebody', () => {
  const small = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(small, fc.integer({ min: 1, max: 3 }), (owners, count) => {
      // Owner 3 is nobody, and so are members that there aren't.
      const members = ['a', 'b', 'c'].slice(0, count)
      const ownedBy = (id: string) => owners.flatMap((owner, task) => (members[owner] === id ? [task] : []))
      const before = new Map(members.map((id) => [id, ownedBy(id)]))
      const keptOf = (assigned: ReadonlyMap<string, readonly number[]>) =>
        [...assigned].reduce((sum, [id, tasks]) => sum + tasks.filter((task) => before.get(id)?.includes(task)).length, 0)
      let most = 0
      for (let code = 0; code < count ** owners.length; code++) {
        const all = new Map<string, number[]>(members.map((id) => [id, []]))
        owners.forEach((_, task) => {
          all.get(members[Math.floor(code / count ** task) % count] ?? '')?.push(task)
        })
        const loads = [...all.values()].map((tasks) => tasks.length)
        if (Math.max(...loads) - Math.min(...loads) <= 1) most = Math.max(most, keptOf(all))
      }
      expect(keptOf(assignTasks(claiming(before), owners.length))).toBe(most)
    }),
  )
})

test('where topics differ in partitions, the low tasks, which hold more of them, are shared out too', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 1, max: 6 }), (count, each) => {
      const one = assignTasks([{ memberId: 'm0', owned: undefined }], count * each * 2)
      const others = Array.from({ length: count - 1 }, (_, at) => ({ memberId: `m${at + 1}`, owned: undefined }))
      const assigned = assignTasks([...claiming(one), ...others], count * each * 2)
      const low = [...assigned.values()].map((tasks) => tasks.filter((task) => task < count * each).length)
      expect(Math.max(...low) - Math.min(...low)).toBeLessThanOrEqual(1)
    }),
  )
})
