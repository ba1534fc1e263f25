/**
 * What the one user of an embedded ClickHouse may do, as the engine's `users.xml`: everything with tables, nothing with files, addresses,
 * programs and other users. Table functions, table engines and dictionaries over those are not granted. What the engine does without
 * asking for rights is refused by the front (`reachesFiles` in front-sql.ts).
 */

const TABLES = [
  'SELECT',
  'INSERT',
  'ALTER',
  'CREATE DATABASE',
  'CREATE TABLE',
  'CREATE VIEW',
  'CREATE TEMPORARY TABLE',
  'CREATE FUNCTION',
  'DROP DATABASE',
  'DROP TABLE',
  'DROP VIEW',
  'DROP FUNCTION',
  'UNDROP TABLE',
  'TRUNCATE',
  'OPTIMIZE',
  'CHECK',
  'SHOW',
  'KILL QUERY',
  'INTROSPECTION',
  'SYSTEM VIEWS',
  'SYSTEM MERGES',
  'SYSTEM TTL MERGES',
  'SYSTEM FLUSH',
]

/** Those that keep what they hold in the directory, or nowhere. */
const ENGINES = [
  ...['', 'Replacing', 'Summing', 'Aggregating', 'Collapsing', 'VersionedCollapsing', 'Coalescing'].map((kind) => `${kind}MergeTree`),
  ...['Memory', 'Null', 'Buffer', 'Set', 'Join', 'Log', 'TinyLog', 'StripeLog', 'Merge', 'GenerateRandom', 'View', 'MaterializedView'],
]

const GRANTS = [`GRANT ${TABLES.join(', ')} ON *.*`, ...ENGINES.map((engine) => `GRANT TABLE ENGINE ON ${engine}`)]

/** The file's content. The front asks for the password; to the engine everybody is this user. */
export const ENGINE_USERS = `<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
${GRANTS.map((grant) => `        <query>${grant}</query>`).join('\n')}
      </grants>
    </default>
  </users>
</clickhouse>
`
