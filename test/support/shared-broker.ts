import { inject } from 'vitest'
import type {} from './broker-setup.ts'

/** Addresses of the test run's one broker. Keep apart by topic and group names. Throws what to install when there can be none. */
export async function sharedBrokers(): Promise<string[]> {
  const response = await fetch(inject('brokerDoor'))
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as string[]
}
