/** The DDL of objects, for the form of one ClickHouse: pure functions. Every statement may run again at any time. */
import { identifier } from '../clickhouse/front-sql.ts'
import { distributedEngine, engineOf, namesFor, objectsOf, onCluster, queryOf } from './cluster.ts'
import type { Form, SchemaObject, StoredTable, TableColumn } from './objects.ts'

/** Creates the database; separate, for it takes a right that the rest doesn't. */
export function databaseStatement(form: Form): string {
  const { database, embedded } = form
  // A server's own default is right: Atomic, or what a cluster or ClickHouse Cloud takes instead. The embedded engine's keeps no views.
  return `CREATE DATABASE IF NOT EXISTS ${identifier(database)}${onCluster(form)}${embedded ? ' ENGINE = Atomic' : ''}`
}

/** Everything inside the database, as it is created where nothing is. */
export function schemaStatements(form: Form): string[] {
  return objectsOf(form).map((object) => createStatement(form, object))
}

/** What a statement that creates, alters or drops an object names: on all servers of the form. */
export function targetOf(form: Form, name: string): string {
  return `${identifier(form.database)}.${name}${onCluster(form)}`
}

/** Creates an object that is not there. One that is there stays as it is, but a view, which is replaced. */
export function createStatement(form: Form, object: SchemaObject): string {
  const target = targetOf(form, object.name)
  switch (object.kind) {
    case 'table':
      return tableStatement(form, object)
    case 'view':
      return `CREATE OR REPLACE VIEW ${target} AS\n${queryOf(form, object)}`
    case 'feed': {
      const to = namesFor(form, object).here(object.to)
      return `CREATE MATERIALIZED VIEW IF NOT EXISTS ${target} TO ${to} AS\n${queryOf(form, object)}`
    }
    case 'distributed':
      // Replaced in one step: whoever reads or writes it notices nothing.
      return [
        `CREATE OR REPLACE TABLE ${target} AS ${identifier(form.database)}.${object.of.name}`,
        `ENGINE = ${distributedEngine(form, object.of)}`,
      ].join('\n')
  }
}

/** Creates a table; under another name than its own while it is being filled. */
export function tableStatement(form: Form, table: StoredTable, name = table.name): string {
  const { columns, indexes = [], partitionBy, orderBy, primaryKey, expires, settings = {} } = table
  const lines = [...columns.map((column) => `  ${columnDeclaration(column)}`), ...indexes.map((index) => `  INDEX ${index}`)]
  const ttl = expires?.(form.retention)
  // Without partitions all rows come to lie in one part, which never expires as a whole.
  const parts = [
    `CREATE TABLE IF NOT EXISTS ${targetOf(form, name)}\n(\n${lines.join(',\n')}\n)`,
    `ENGINE = ${engineOf(form, table, name)}`,
    partitionBy === undefined ? '' : `PARTITION BY ${partitionBy}`,
    primaryKey === undefined ? '' : `PRIMARY KEY (${primaryKey.join(', ')})`,
    `ORDER BY (${orderBy.join(', ')})`,
    ttl === undefined ? '' : `TTL ${ttl}`,
    settingsClause({ ...settings, ...(ttl === undefined || partitionBy === undefined ? {} : { ttl_only_drop_parts: 1 }) }),
  ]
  return parts.filter((part) => part !== '').join('\n')
}

/** A column as DDL has it; names that are words of SQL are quoted. */
export function columnDeclaration([name, type, more]: TableColumn): string {
  return `${name === 'window' ? '`window`' : name} ${type}${more === undefined ? '' : ` ${more}`}`
}

function settingsClause(settings: Readonly<Record<string, number | string>>): string {
  const set = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  return set.length === 0 ? '' : `SETTINGS ${set.join(', ')}`
}
