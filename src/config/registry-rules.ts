/** Rules of the section `schemaRegistry`, and of the topics that need one. */
import { type Breach, type ConfigRule, keyPair, listedTwice } from './rule.ts'
import type { Config } from './schema.ts'

type Topic = Config['kafka']['topics'][number]

/** Whether a registry has to say how the records of a topic were written. JSON needs no schema to be read. */
export function needsRegistry({ format, schemaFile }: Topic): boolean {
  return (format === 'avro' || format === 'protobuf') && schemaFile === undefined
}

/** The rules, in the order in which they are asked. */
export const REGISTRY_RULES: readonly ConfigRule[] = [
  {
    keys: ['kafka.topics', 'schemaRegistry.url'],
    check: ({ kafka, schemaRegistry }) => {
      const index = kafka.topics.findIndex(needsRegistry)
      const topic = kafka.topics[index]
      if (topic === undefined) return undefined
      if (topic.framing === 'glue') {
        const message = 'is glue, and schemas of AWS Glue are not fetched'
        return {
          path: ['kafka', 'topics', index, 'framing'],
          message,
          remedy: 'name its schema, or a folder with one for each UUID, by schemaFile',
        }
      }
      if (schemaRegistry.url !== undefined) return undefined
      const message = `is missing, but the format of ${topic.name} is ${topic.format}`
      const remedy = 'give the address of the schema registry, or name the schema by kafka.topics[].schemaFile'
      return { path: ['schemaRegistry', 'url'], message, remedy }
    },
  },
  {
    keys: ['schemaRegistry.url'],
    check: ({ schemaRegistry: { url } }) => {
      const index = listedTwice(url)
      if (index < 0) return undefined
      return { path: ['schemaRegistry', 'url', index], message: 'is listed twice', remedy: 'remove one of the two' }
    },
  },
  {
    keys: ['schemaRegistry.url', 'schemaRegistry.tls'],
    check: ({ schemaRegistry: { url, tls } }) => {
      if (tls === undefined || url?.every((one) => one.startsWith('https:'))) return undefined
      const message = `has no effect: ${url === undefined ? 'there is no schemaRegistry.url' : 'schemaRegistry.url is not https'}`
      return { path: ['schemaRegistry', 'tls'], message, remedy: 'use an https:// url, or remove it' }
    },
  },
  {
    keys: ['schemaRegistry.tls'],
    check: ({ schemaRegistry: { tls } }) => keyPair(tls, ['schemaRegistry', 'tls']),
  },
  {
    keys: ['schemaRegistry.url', 'schemaRegistry.auth'],
    check: authFault,
  },
]

function authFault({ schemaRegistry: { url, auth } }: Config): Breach | undefined {
  if (auth === undefined) return undefined
  const { username, password, token } = auth
  const path = ['schemaRegistry', 'auth']
  if (url === undefined) {
    return { path, message: 'has no effect: there is no schemaRegistry.url', remedy: 'give the address of the registry, or remove it' }
  }
  if ((username ?? password ?? token) === undefined) {
    return { path, message: 'says nothing', remedy: 'give it username and password, or token, or remove it' }
  }
  if (token !== undefined && (username ?? password) !== undefined) {
    return { path: [...path, 'token'], message: 'and username and password exclude each other', remedy: 'keep one of the two' }
  }
  if (token !== undefined && /[^\x20-\x7e]/.test(token)) {
    const remedy = 'remove the line end behind it, or what else no header can have'
    return { path: [...path, 'token'], message: 'has characters other than printable ASCII', remedy }
  }
  if ((username === undefined) === (password === undefined)) return undefined
  const [given, absent] = username === undefined ? ['password', 'username'] : ['username', 'password']
  return { path: [...path, absent], message: `is missing, but ${given} is given`, remedy: 'give both, or token' }
}
