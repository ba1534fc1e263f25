/** Images of the servers that tests start by Docker, as docker/compose.yaml has them: by digest, for a tag may be moved. */

/** The broker's. */
export const KAFKA_IMAGE = 'apache/kafka:4.1.0@sha256:bff074a5d0051dbc0bbbcd25b045bb1fe84833ec0d3c7c965d1797dd289ec88f'

const CLICKHOUSE_DIGESTS: Readonly<Record<string, string>> = {
  '25.3': 'sha256:b627d7a9bc0e0c1bac26cdbe9d2fc6316faa29c5d8a174f28f5abd57d0fa6ba2',
  '25.8': 'sha256:0152dd511befe6a2c2ef53e930726179669b08116da78500b37c51c96ff5ee77',
}

/** ClickHouse's in that version; one that nobody has pinned comes by its tag. */
export function clickHouseImage(version: string): string {
  const digest = CLICKHOUSE_DIGESTS[version]
  return `clickhouse/clickhouse-server:${version}${digest === undefined ? '' : `@${digest}`}`
}
