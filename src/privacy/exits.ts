/**
 * Every way by which something leaves the process, what it may hold, and what of a person. Tests hold the table against the engine: planted
 * personal data is searched for behind each exit, and an output, a route or a verb that is in no row is a fault. docs/privacy.md shows it.
 */

/**
 * What of a person may be there: nothing; what `privacy.payload` lets leave of values of records; or records as they are, because that is
 * what was asked for.
 */
type Personal = 'nothing' | 'payload' | 'records'

interface Exit {
  readonly what: string
  /** What of records it may hold. */
  readonly holds: string
  readonly personal: Personal
  /** Outputs of the ledger's terms that leave here. */
  readonly outputs?: readonly string[]
  /** Routes of the HTTP server, by name; of the API as `api.name`. */
  readonly routes?: readonly string[]
  /** Verbs that write here, by the words of the command line. */
  readonly verbs?: readonly string[]
}

/** By name. */
export const EXITS = {
  deadLetters: {
    what: '`deadLetter.topic` or `deadLetter.file`',
    holds: 'value, reason and place of what can not be counted; never key or headers. Of a refused row the row',
    personal: 'payload',
    outputs: ['deadLetters'],
  },
  late: {
    what: '`late.topic` or `late.file`',
    holds: 'value and place of events that come too late; never key or headers',
    personal: 'payload',
    outputs: ['late'],
  },
  log: {
    what: 'log lines on stderr',
    holds: 'reasons and places of refused records; names of topics, schemas, servers',
    personal: 'payload',
  },
  summary: {
    what: 'what `ctr run`, `ctr replay` and `ctr demo` say on stdout',
    holds: 'counts; product ids',
    personal: 'nothing',
    verbs: ['run', 'replay', 'demo'],
  },
  crash: {
    what: 'what a process that fails says on stderr',
    holds: 'causes, with their stack',
    personal: 'nothing',
  },
  metrics: {
    what: '`/metrics`',
    holds: 'counts, by topic, partition and reason',
    personal: 'nothing',
    routes: ['metrics'],
  },
  health: {
    what: 'health, and what is at the root',
    holds: 'state and causes',
    personal: 'nothing',
    routes: ['index', 'live', 'ready'],
  },
  samples: {
    what: '`/api/v1/dead-letters` and its view of the page',
    holds: 'reasons, places and the looks of some refused records: names of fields, with letters and digits as a and 0',
    personal: 'payload',
    routes: ['api.deadLetters'],
  },
  api: {
    what: 'all else of `/api/v1`, and the page of it',
    holds: 'counts; product ids, as `ui.products` shows them; the configuration without secrets',
    personal: 'nothing',
    routes: [
      ...['state', 'history', 'partitions', 'windows', 'products', 'product', 'checkpoints', 'ledger', 'quality', 'config', 'events'].map(
        (name) => `api.${name}`,
      ),
      ...['savepointTake', 'savepointList', 'savepointRemove'],
    ],
    verbs: ['ui', 'top'],
  },
  storage: {
    what: '`checkpoint.storage`',
    holds: 'product ids with their counts, offsets, schemas, totals of the past',
    personal: 'nothing',
    verbs: [
      ...['list', 'inspect', 'verify', 'diff', 'export'].map((part) => `checkpoint ${part}`),
      ...['list', 'create', 'delete'].map((part) => `savepoint ${part}`),
    ],
  },
  offsets: {
    what: 'offsets of `kafka.groupId`, with their metadata',
    holds: 'offsets, sums, when a partition was read',
    personal: 'nothing',
  },
  tables: {
    what: 'tables in ClickHouse',
    holds: 'product ids with their counts, the ledger, the tenant',
    personal: 'nothing',
    verbs: ['query', 'compare'],
  },
  retried: {
    what: 'the topic of what `ctr letters retry` has put back, and the topics that it puts it into',
    holds: 'places; records as they were, which go where they came from',
    personal: 'records',
    verbs: ['letters retry'],
  },
  shown: {
    what: '`ctr tap`, `ctr letters`, `ctr config check --sample`',
    holds: 'values of records; without `privacy`, of `ctr tap` and `ctr config check` those whose keys name no person',
    personal: 'payload',
    verbs: ['tap', 'letters list', 'letters show', 'letters stats', 'config'],
  },
  proposed: {
    what: '`ctr init`',
    holds: 'names of keys and, of those that name no person, some values: it is asked before there is a configuration',
    personal: 'records',
    verbs: ['init'],
  },
} as const satisfies Readonly<Record<string, Exit>>

/** The table as text of the documents. */
export function exitsTable(): string {
  const rows = Object.values(EXITS).map(({ what, holds, personal }) => `| ${what} | ${holds} | ${PERSONAL_WORDS[personal]} |`)
  return ['| exit | what it may hold | of a person |', '|---|---|---|', ...rows].join('\n')
}

const PERSONAL_WORDS: { readonly [personal in Personal]: string } = {
  nothing: 'nothing',
  payload: 'as `privacy.payload` has it',
  records: 'as it is in the topic',
}
