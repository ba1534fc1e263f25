/** Steps of a migration done by processes that are killed. */
import type { ClickHouseClient } from '@clickhouse/client'
import { keepNote } from '../../src/tables/book.ts'
import type { Form } from '../../src/tables/objects.ts'
import { stateOf } from '../../src/tables/plan.ts'
import type { Step } from '../../src/tables/steps.ts'
import { insertsEnded } from '../../src/tables/under-way.ts'

const LIVES_MAX = 100

/** Does what is left of a step, `statements` at most: true when nothing is. What is written into the book counts as one. */
async function live(client: ClickHouseClient, form: Form, step: Step, statements: number, between: () => Promise<void>): Promise<boolean> {
  for (let left = statements; ; ) {
    const parts = await step.parts(await stateOf(client, form))
    if (parts.length === 0) return true
    for (const part of parts) {
      if (part.afterInsertsInto !== undefined) await insertsEnded(client, form, part.afterInsertsInto, new AbortController().signal)
      for (const query of part.statements) {
        if (left-- === 0) return false
        await client.command({ query })
        await between()
      }
      if (part.note === undefined) continue
      if (left-- === 0) return false
      await keepNote(client, part.note.name, part.note.detail)
    }
    if (step.again === undefined) return true
  }
}

/** Life after life, the first one killed after its first statement, the next one after two, and so on; returns how many it took. */
export async function lives(
  client: ClickHouseClient,
  form: Form,
  step: Step,
  between: () => Promise<void> = async () => {},
): Promise<number> {
  for (let statements = 1; statements < LIVES_MAX; statements++) {
    if (await live(client, form, step, statements, between)) return statements
  }
  throw new Error(`${step.name} does not come to an end`)
}
