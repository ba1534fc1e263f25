import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assignTasks } from '../../src/kafka/co-partition-assigner.ts'

test('partition i of every topic goes to one member, by the order of ids', () => {
  expect(Object.fromEntries(assignTasks(['b', 'a'], { clicks: 3, impressions: 3 }))).toEqual({
    a: { clicks: [0, 2], impressions: [0, 2] },
    b: { clicks: [1], impressions: [1] },
  })
})

test('every partition has exactly one owner, topics agree on it, and loads differ by at most one task', () => {
  const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 8 })
  const counts = fc.record({ impressions: fc.nat(20), clicks: fc.nat(20) })
  fc.assert(
    fc.property(ids, counts, (members, partitionCounts) => {
      const assigned = assignTasks(members, partitionCounts)
      expect([...assigned.keys()].toSorted()).toEqual(members.toSorted())
      const owners = new Map<number, Set<string>>()
      for (const [topic, count] of Object.entries(partitionCounts)) {
        const all = [...assigned].flatMap(([id, topics]) => (topics[topic] ?? []).map((partition) => ({ id, partition })))
        expect(all.map(({ partition }) => partition).toSorted((one, other) => one - other)).toEqual(
          Array.from({ length: count }, (_, at) => at),
        )
        for (const { id, partition } of all) owners.set(partition, (owners.get(partition) ?? new Set()).add(id))
      }
      for (const set of owners.values()) expect(set.size).toBe(1)
      const loads = members.map((id) => [...owners.values()].filter((set) => set.has(id)).length)
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
      expect(assignTasks(members.toReversed(), partitionCounts)).toEqual(assigned)
    }),
  )
})
