/** A store in memory, for tests that want to look inside. */
import type { ObjectStore } from '../../src/store/object-store.ts'

export interface MemoryStore extends ObjectStore {
  readonly objects: Map<string, Uint8Array>
}

export function memoryStore(objects = new Map<string, Uint8Array>()): MemoryStore {
  return {
    objects,
    place: 'memory',
    async put(key, bytes, { ifAbsent = false } = {}) {
      const there = objects.get(key)
      if (ifAbsent && there !== undefined) return Buffer.from(there).equals(bytes)
      objects.set(key, bytes.slice())
      return true
    },
    get: async (key) => objects.get(key)?.slice(),
    list: async (prefix) =>
      [...objects]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, { length }]) => ({ key, bytes: length }))
        .toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    remove: async (keys) => {
      for (const key of keys) objects.delete(key)
    },
    close: async () => {},
  }
}
