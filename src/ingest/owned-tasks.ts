/** What this process owns of the input: tasks, and the partitions they are made of. */
import { Dictionary } from '../products/dictionary.ts'
import type { ProductBudget } from '../products/product-budget.ts'
import type { LowWaterMark } from '../source/source.ts'
import { Lateness } from '../window/lateness.ts'
import type { Partition } from '../window/partition.ts'
import { Task, type TimeRules } from '../window/task.ts'
import type { TaskInput } from './cursor.ts'

export class OwnedTasks {
  readonly tasks = new Map<number, TaskInput>()
  readonly partitions: Partition[] = []
  /** Records read, by topic index, from partitions that have left since. */
  readonly readBefore: number[] = []
  /** Late ones among them. */
  readonly lateBefore: number[] = []
  /** How late events of theirs were. */
  readonly latenessBefore: Lateness[] = []
  /** The partly late ones. */
  readonly partlyLateBefore: number[] = []
  readonly #rules: TimeRules
  readonly #workers: number
  readonly #budget: ProductBudget

  constructor(rules: TimeRules, workers: number, budget: ProductBudget) {
    this.#rules = rules
    this.#workers = workers
    this.#budget = budget
  }

  /** A task without partitions, which is not owned before the first one comes. */
  create(task: number, incarnation = 0): TaskInput {
    return { time: new Task(task, this.#rules, incarnation), dictionary: new Dictionary(this.#workers, this.#budget) }
  }

  find(topicIndex: number, partition: number): Partition | undefined {
    return this.tasks.get(partition)?.time.partitions.find((state) => state.topicIndex === topicIndex)
  }

  add(task: TaskInput, partition: Partition): void {
    this.tasks.set(partition.partition, task)
    task.time.partitions.push(partition)
    this.partitions.push(partition)
  }

  /** True when the partition's task has left with it. */
  remove(partition: Partition): boolean {
    const { partition: task } = partition
    this.#keepTotals(partition)
    this.partitions.splice(this.partitions.indexOf(partition), 1)
    const input = this.tasks.get(task)
    const rest = input?.time.partitions ?? []
    rest.splice(rest.indexOf(partition), 1)
    if (rest.length > 0) return false
    input?.dictionary.release()
    return this.tasks.delete(task)
  }

  lowWaterMarks(): LowWaterMark[] {
    return this.partitions.map((partition) => {
      const time = this.tasks.get(partition.partition)?.time
      const mark = partition.lowWater()
      const orphansUntil = time?.orphansUntil
      return {
        topicIndex: partition.topicIndex,
        partition: partition.partition,
        ...mark,
        facts: orphansUntil === undefined ? mark.facts : { ...mark.facts, orphansUntil },
        incarnation: time?.incarnation,
      }
    })
  }

  /** The partition of a topic that was made again takes the place of the old one, whose open windows stay with the task. */
  replace(task: TaskInput, old: Partition, made: Partition): void {
    this.#keepTotals(old)
    this.partitions[this.partitions.indexOf(old)] = made
    task.time.partitions[task.time.partitions.indexOf(old)] = made
    task.time.former.push(old)
    task.time.addOrphans([...old.windows].map(([end, { events, partly }]) => ({ end, events, partly: partly && [...partly] })))
  }

  #keepTotals({ topicIndex, read, late, partlyLate, lateness }: Partition): void {
    if (lateness !== undefined) {
      this.latenessBefore[topicIndex] ??= new Lateness()
      this.latenessBefore[topicIndex]?.join(lateness)
    }
    this.readBefore[topicIndex] = (this.readBefore[topicIndex] ?? 0) + read
    this.partlyLateBefore[topicIndex] = (this.partlyLateBefore[topicIndex] ?? 0) + partlyLate
    this.lateBefore[topicIndex] = (this.lateBefore[topicIndex] ?? 0) + late
  }
}
