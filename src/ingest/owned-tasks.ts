/** What this process owns of the input: tasks, and the partitions they are made of. */
import { Dictionary } from '../products/dictionary.ts'
import type { LowWaterMark } from '../source/source.ts'
import type { Partition } from '../window/partition.ts'
import { Task, type TimeRules } from '../window/task.ts'
import type { TaskInput } from './cursor.ts'

export class OwnedTasks {
  readonly tasks = new Map<number, TaskInput>()
  readonly partitions: Partition[] = []
  /** Records read, by topic index, from partitions that have left since. */
  readonly readBefore: number[] = []
  readonly #rules: TimeRules
  readonly #workers: number

  constructor(rules: TimeRules, workers: number) {
    this.#rules = rules
    this.#workers = workers
  }

  /** A task without partitions, which is not owned before the first one comes. */
  create(task: number, incarnation = 0): TaskInput {
    return { time: new Task(task, this.#rules, incarnation), dictionary: new Dictionary(this.#workers) }
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
    const { topicIndex, partition: task, read } = partition
    this.readBefore[topicIndex] = (this.readBefore[topicIndex] ?? 0) + read
    this.partitions.splice(this.partitions.indexOf(partition), 1)
    const rest = this.tasks.get(task)?.time.partitions ?? []
    rest.splice(rest.indexOf(partition), 1)
    return rest.length === 0 && this.tasks.delete(task)
  }

  lowWaterMarks(): LowWaterMark[] {
    return this.partitions.map((partition) => ({
      topicIndex: partition.topicIndex,
      partition: partition.partition,
      ...partition.lowWater(),
      incarnation: this.tasks.get(partition.partition)?.time.incarnation,
    }))
  }
}
