/**
 * Processes that write, restore, take savepoints and expire at random, with manifests that break and some that come late: at every moment
 * each manifest that is left has all its objects, also one that can't be read, each task its newest checkpoints, and nothing is kept for
 * long that nobody needs.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  checkpointId,
  encodeManifest,
  listManifests,
  type Manifest,
  manifestKey,
  objectKey,
  type TaskEntry,
} from '../../src/checkpoint/manifest.ts'
import { removeExpired } from '../../src/checkpoint/retention.ts'
import { memoryStore } from '../support/memory-store.ts'
import { FACTS } from '../support/task-copies.ts'

const RETAIN = 2
const TASKS = 3
const PROCESSES = 2

const step = fc.record({
  process: fc.nat(PROCESSES - 1),
  minutes: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 50 })),
  what: fc.constantFrom(
    ...(['checkpoint', 'checkpoint', 'checkpoint', 'begin', 'begin', 'finish', 'finish'] as const),
    ...(['savepoint', 'restore', 'break', 'expire', 'expire', 'expire'] as const),
  ),
  changed: fc.array(fc.boolean(), { minLength: TASKS, maxLength: TASKS }),
  mentioned: fc.array(fc.boolean(), { minLength: TASKS, maxLength: TASKS }),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

interface Process {
  readonly writerId: string
  /** Where its tasks are that it has, as it last completed or restored them. */
  objects: Map<number, string>
  /** The last that it completed, and the one that it has begun. */
  number: number
  begun: Manifest | undefined
  /** What its last pass found no manifest referring to. */
  loose: ReadonlySet<string>
}

class World {
  readonly store = memoryStore()
  minute = 1000
  #count = 0
  /** What manifests that are broken now once referred to. */
  readonly broken = new Map<string, readonly string[]>()
  readonly processes: readonly Process[] = Array.from({ length: PROCESSES }, (_, i) => {
    return { writerId: `0000000${i}`, objects: new Map(), number: -1, begun: undefined, loose: new Set() }
  })

  async run({ process, minutes, what, changed, mentioned }: Step): Promise<void> {
    this.minute += minutes
    const one = this.processes[process]!
    if (what === 'expire') await this.expire(one)
    else if (what === 'break') await this.#break(minutes)
    else if (what === 'restore') {
      const [newest] = (await listManifests(this.store, 'g')).manifests
      for (const { task, object } of newest?.manifest.tasks ?? []) if (object !== null) one.objects.set(task, object.key)
    } else if (what === 'finish') await this.#finish(one)
    else {
      await this.#begin(one, changed, mentioned, what === 'savepoint')
      if (what !== 'begin') await this.#finish(one)
    }
  }

  async expire(one: Process): Promise<void> {
    const { writerId, number } = one
    const { loose } = one
    one.loose = (await removeExpired(this.store, 'g', RETAIN, this.minute * 60_000, { writerId, number, loose })).loose
  }

  async #break(choice: number): Promise<void> {
    const { manifests } = await listManifests(this.store, 'g')
    const chosen = manifests[choice % Math.max(1, manifests.length)]
    if (chosen === undefined) return
    this.broken.set(
      chosen.key,
      chosen.manifest.tasks.flatMap(({ object }) => object?.key ?? []),
    )
    this.store.objects.set(chosen.key, new Uint8Array(2))
  }

  /** Objects are written of the tasks that it has; one that had begun before is given up. */
  async #begin(one: Process, changed: readonly boolean[], mentioned: readonly boolean[], isSavepoint: boolean): Promise<void> {
    const id = checkpointId(this.minute * 60_000, one.writerId, this.#count++)
    const entries: TaskEntry[] = []
    for (let task = 0; task < TASKS; task++) {
      if (!mentioned[task]) continue
      let key = one.objects.get(task) ?? ''
      if (changed[task] || !this.store.objects.has(key)) {
        key = objectKey('g', task, id)
        await this.store.put(key, new Uint8Array(1))
      }
      entries.push({ task, published: null, partitions: [], object: reference(key) })
    }
    const common = { format: 1, id, group: 'g', writer: 'ctr', createdAt: this.minute * 60_000, rules: FACTS.rules } as const
    one.begun = { ...common, savepoint: isSavepoint ? `s${this.#count}` : null, tasks: entries }
  }

  /** Unless it took an hour, or somebody else had its tasks meanwhile and has removed what it goes on from. */
  async #finish(one: Process): Promise<void> {
    const { begun } = one
    one.begun = undefined
    if (begun === undefined || begun.createdAt <= (this.minute - 60) * 60_000) return
    const foreign = begun.tasks.filter(({ object }) => !object?.key.includes(`-${one.writerId}-`))
    if (foreign.some(({ object }) => !this.store.objects.has(object?.key ?? ''))) return
    await this.store.put(manifestKey(begun), encodeManifest(begun))
    one.objects = new Map(begun.tasks.map(({ task, object }) => [task, object?.key ?? '']))
    one.number = Number(begun.id.split('-')[2])
  }
}

const reference = (key: string) => ({ key, bytes: 1, crc32: 1, cells: 1, products: 1 })

test('no manifest that is left refers to an object that is gone', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const world = new World()
      for (const [i, one] of steps.entries()) {
        const before = await listManifests(world.store, 'g')
        await world.run(one)
        const { manifests } = await listManifests(world.store, 'g')
        for (const { key, manifest } of manifests)
          for (const { object } of manifest.tasks) expect(world.store.objects.has(object?.key ?? ''), `step ${i}: ${key}`).toBe(true)
        for (const [key, objects] of world.broken) {
          if (!world.store.objects.has(key)) continue
          for (const object of objects) expect(world.store.objects.has(object), `step ${i}: ${key}, unreadable`).toBe(true)
        }
        if (one.what !== 'expire') continue
        const left = new Set(manifests.map(({ key }) => key))
        for (let task = 0; task < TASKS; task++) {
          const mentions = before.manifests.filter(({ manifest }) => manifest.tasks.some((entry) => entry.task === task))
          const newest = mentions.filter(({ manifest }) => manifest.savepoint === null).slice(0, RETAIN)
          const savepoints = mentions.filter(({ manifest }) => manifest.savepoint !== null)
          for (const { key } of [...newest, ...savepoints]) expect(left).toContain(key)
        }
      }
    }),
    { numRuns: 300 },
  )
})

test('when everything is readable, two passes an hour later leave nothing that nothing refers to', async () => {
  const sound = step.filter(({ what }) => what !== 'break')
  await fc.assert(
    fc.asyncProperty(fc.array(sound, { maxLength: 30 }), async (steps) => {
      const world = new World()
      for (const one of steps) await world.run(one)
      world.minute += 61
      for (let pass = 0; pass < 2; pass++) for (const one of world.processes) await world.expire(one)
      const { manifests } = await listManifests(world.store, 'g')
      const needed = manifests.flatMap(({ key, manifest }) => [key, ...manifest.tasks.flatMap(({ object }) => object?.key ?? [])])
      expect(new Set(world.store.objects.keys())).toEqual(new Set(needed))
      expect(manifests.filter(({ manifest }) => manifest.savepoint === null).length).toBeLessThanOrEqual(RETAIN * TASKS)
    }),
    { numRuns: 300 },
  )
})

test('when everything is readable, a third pass leaves nothing of its own that no manifest refers to', async () => {
  const sound = step.filter(({ what }) => what !== 'break')
  await fc.assert(
    fc.asyncProperty(fc.array(sound, { maxLength: 30 }), async (steps) => {
      const world = new World()
      for (const one of steps) await world.run(one)
      for (let pass = 0; pass < 3; pass++) for (const one of world.processes) await world.expire(one)
      const { manifests } = await listManifests(world.store, 'g')
      const needed = new Set(manifests.flatMap(({ manifest }) => manifest.tasks.flatMap(({ object }) => object?.key ?? [])))
      for (const { writerId, number } of world.processes) {
        const own = [...world.store.objects.keys()].filter((key) => key.startsWith('g/objects/') && key.includes(`-${writerId}-`))
        const left = own.filter((key) => !needed.has(key) && Number(/(\d+)\.ctr$/.exec(key)?.[1]) <= number)
        expect(left).toEqual([])
      }
    }),
    { numRuns: 300 },
  )
})
