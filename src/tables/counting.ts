/** Which rows of the tables count, as SQL: the conditions that the views have in common (schema.ts). */
import { LIMITS } from '../config/limits.ts'

/** The first number of an input of `ctr replay`; it takes a task's place in rows. Partition numbers of Kafka are far below it. */
export const INPUTS_FROM = 2 ** 30

/** The revision of a row. */
export const REVISION = `bitShiftRight(version, ${LIMITS.countBits})`

/** Whether rows of a task, or of a partition, count: those of an input do while it is the last run of its name that
 * has ended. `inputs` is how the query names ctr_inputs. */
export function counts(inputs: string, task: string): string {
  const counting = `SELECT max(number) FROM ${inputs} WHERE ended = 1 GROUP BY tenant, name`
  return `(${task} < ${INPUTS_FROM} OR ${task} IN (${counting}))`
}
