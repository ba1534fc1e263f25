import { inject } from 'vitest'
import type {} from './servers-setup.ts'

/** Addresses of the test run's one broker. Keep apart by topic and group names. Throws what to install when there can be none. */
export async function sharedBrokers(): Promise<string[]> {
  return behindDoor<string[]>('/broker')
}

/** What the run's set-up says of a server, which it starts when it is asked for the first time. */
export async function behindDoor<T>(path: string): Promise<T> {
  const response = await fetch(inject('serversDoor') + path)
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as T
}
