/** The check of the schema registry: each of its addresses is asked what kinds of schemas it has. */
import { systemClock } from '../clock.ts'
import { needsRegistry } from '../config/registry-rules.ts'
import type { Config } from '../config/schema.ts'
import { RegistryClient } from '../registry/registry-client.ts'
import { type Check, type Finding, findingOf, ok, skipped, warning } from './finding.ts'
import { sharesOf } from './in-time.ts'

/** The one check of it; none without an address. */
export function registryChecks({ kafka, schemaRegistry }: Config, timeoutMs: number): Check[] {
  const { url, requestTimeout } = schemaRegistry
  if (url === undefined) return []
  const look = async () => {
    if (!kafka.topics.some(needsRegistry)) return skipped('no format of kafka.topics needs a registry')
    const limitMs = Math.min(requestTimeout, sharesOf(timeoutMs).requestMs)
    const client = new RegistryClient({ ...schemaRegistry, url, requestTimeout: limitMs }, systemClock)
    try {
      return judgeRegistry(await Promise.all(url.map((one) => ask(client, one))))
    } finally {
      client.close()
    }
  }
  return [{ part: 'registry', name: `schema registry ${url.join(', ')}`, look }]
}

/** Of each address. A start waits for one that answers, and one is enough. */
function judgeRegistry(findings: readonly Finding[]): Finding {
  const [faulty] = findings.filter(({ verdict }) => verdict !== 'ok')
  if (faulty === undefined) return findings[0] ?? skipped('there is no address')
  if (findings.every(({ verdict }) => verdict !== 'ok')) return faulty
  return warning(`of ${findings.length} addresses one is of no use: ${faulty.found}`, faulty.remedy ?? 'take it out of schemaRegistry.url')
}

async function ask(client: RegistryClient, url: string): Promise<Finding> {
  try {
    const types = await client.getFrom(url, '/schemas/types')
    const known = Array.isArray(types) && types.every((type) => typeof type === 'string')
    return known ? ok(`${url} answers, and has schemas of ${types.join(', ')}`) : noRegistry(url)
  } catch (error) {
    return findingOf(error)
  }
}

function noRegistry(url: string): Finding {
  return {
    verdict: 'fault',
    found: `schemaRegistry.url: what answers at ${url} is no schema registry`,
    remedy: 'check the address and its path',
  }
}
