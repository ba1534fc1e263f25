/** From the configuration to the schemas that records name. */
import { schemasPrefix } from '../checkpoint/manifest.ts'
import { systemClock } from '../clock.ts'
import { needsRegistry } from '../config/registry-rules.ts'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../log.ts'
import { KeptSchemas } from '../registry/kept-schemas.ts'
import { RegistryClient } from '../registry/registry-client.ts'
import { SchemaCache } from '../registry/schema-cache.ts'
import { openStore } from '../store/open-store.ts'

/** undefined when no topic needs them: what is off costs nothing. Nothing is opened before a record needs one. */
export function schemasOf({ kafka, schemaRegistry, checkpoint }: Config, log: Logger): SchemaCache | undefined {
  const { url, cache } = schemaRegistry
  if (url === undefined || !kafka.topics.some(needsRegistry)) return undefined
  const own = log.child({ component: 'schemas' })
  const open = () => openStore(checkpoint, (message) => own.warn({}, message))
  return cacheOf(url, schemaRegistry, cache.store ? new KeptSchemas(open, schemasPrefix(kafka.groupId), url) : undefined, own)
}

/** Where registries of Confluent's kind listen, for who was told of none. */
const REGISTRY_GUESS = 'http://localhost:8081'

/** Where the registry is, or may be. */
export function registryUrls({ schemaRegistry }: Config): readonly string[] {
  return schemaRegistry.url ?? [REGISTRY_GUESS]
}

/** Schemas for who only looks: nothing is kept. */
export function schemasToLookAt(config: Config, log: Logger): SchemaCache {
  return cacheOf(registryUrls(config), config.schemaRegistry, undefined, log)
}

type RegistrySection = Config['schemaRegistry']

function cacheOf(url: readonly string[], section: RegistrySection, kept: KeptSchemas | undefined, own: Logger): SchemaCache {
  const { auth, tls, cache, unknownAfter, requestTimeout } = section
  return new SchemaCache({
    client: new RegistryClient({ url, auth, tls, requestTimeout }, systemClock),
    kept,
    unknownAfter,
    maxSchemas: cache.maxSchemas,
    maxBytes: cache.maxBytes,
    log: own,
    clock: systemClock,
  })
}
