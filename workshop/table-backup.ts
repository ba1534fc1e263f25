/** A backup of a database's rows within one ClickHouse, and back to it: by partitions, so that nothing else is told of it. */
import type { TestClickHouse } from './clickhouse.ts'

export class TableBackup {
  readonly #clickhouse: TestClickHouse
  readonly #database: string
  readonly #copy: string
  #tables: readonly string[] = []

  constructor(clickhouse: TestClickHouse, database: string) {
    this.#clickhouse = clickhouse
    this.#database = database
    this.#copy = `${database}_backup`
  }

  /** Takes it; once. */
  async take(): Promise<void> {
    await this.#clickhouse.command(`CREATE DATABASE ${this.#copy}`)
    const found = await this.#clickhouse.rows<{ name: string }>(
      `SELECT name FROM system.tables WHERE database = '${this.#database}' AND engine LIKE '%MergeTree'`,
    )
    this.#tables = found.map(({ name }) => name)
    for (const table of this.#tables) {
      await this.#clickhouse.command(`CREATE TABLE ${this.#copy}.\`${table}\` AS ${this.#database}.\`${table}\``)
      await this.#bring(table, this.#database, this.#copy)
    }
  }

  /** Every table has the rows that it had when the backup was taken, and no others. */
  async restore(): Promise<void> {
    for (const table of this.#tables) await this.#bring(table, this.#copy, this.#database)
  }

  async #bring(table: string, from: string, to: string): Promise<void> {
    const kept = await this.#partitions(table, from)
    const into = `ALTER TABLE ${to}.\`${table}\``
    for (const id of await this.#partitions(table, to)) {
      if (!kept.includes(id)) await this.#clickhouse.command(`${into} DROP PARTITION ID '${id}'`)
    }
    for (const id of kept) await this.#clickhouse.command(`${into} REPLACE PARTITION ID '${id}' FROM ${from}.\`${table}\``)
  }

  async #partitions(table: string, database: string): Promise<string[]> {
    const found = await this.#clickhouse.rows<{ id: string }>(
      `SELECT DISTINCT partition_id AS id FROM system.parts WHERE active AND database = '${database}' AND table = '${table}'`,
    )
    return found.map(({ id }) => id)
  }
}
