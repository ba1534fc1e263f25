/**
 * Where `ctr demo` writes, whatever the configuration says: what it makes up is never to be among real results. So it has no server, and a
 * database, a tenant and dead letters of its own.
 */

/** As --set; what the user sets himself comes behind. */
export const DEMO_PLACE: readonly string[] = [
  'tenant=demo',
  // Empty: whatever a configuration file says there does not hold.
  'clickhouse=',
  'clickhouse.database=ctr_demo',
  'deadLetter=',
  'deadLetter.file=./.ctr/demo-dead-letters.jsonl',
  'late=',
]
