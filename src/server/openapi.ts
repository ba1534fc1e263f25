/** The API as an OpenAPI document, made of the list of routes and of the schemas that answers and questions are written by. */
import { z } from 'zod'
import { API_EXAMPLES, API_QUERIES } from './api-queries.ts'
import { API_ANSWERS, type ApiName, refusalSchema } from './api-schemas.ts'
import { API_ROUTES } from './routes.ts'

type Json = Readonly<Record<string, unknown>>

/** What a status means that is no answer. */
const REFUSALS = {
  400: 'what is asked for is not understood',
  401: 'a token is missing, or is none of those configured',
  403: 'who asks may not',
  404: 'there is no such thing',
  503: 'what is needed to answer, ClickHouse or the main thread, does not answer',
} as const

/** OpenAPI 3.1, whose schemas are JSON Schema. */
export function openApi(version: string): Json {
  const names = Object.keys(API_ROUTES) as ApiName[]
  return {
    openapi: '3.1.0',
    info: {
      title: 'ctr engine',
      version,
      description: 'What a running engine says of itself. Names carry their units; times are ISO 8601 in UTC; null is what is not known.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://localhost:9464', description: 'http.host and http.port of the configuration' }],
    security: [{ bearer: [] }, {}],
    tags: [{ name: 'engine', description: 'A running engine.' }],
    paths: Object.fromEntries(names.map((name) => [pathOf(name), { get: operation(name) }])),
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'A token of http.tokens or http.token; without any the loopback needs none.',
        },
      },
      schemas: {
        ...Object.fromEntries(names.map((name) => [titleOf(name), jsonSchema(API_ANSWERS[name])])),
        Refusal: jsonSchema(refusalSchema),
      },
      responses: Object.fromEntries(Object.entries(REFUSALS).map(([status, description]) => [`Refused${status}`, refusal(description)])),
    },
  }
}

function operation(name: ApiName): Json {
  const schema = { $ref: `#/components/schemas/${titleOf(name)}` }
  const statuses = Object.keys(REFUSALS).map((status) => [status, { $ref: `#/components/responses/Refused${status}` }])
  const { what } = API_ROUTES[name]
  return {
    operationId: name,
    tags: ['engine'],
    summary: `${what.charAt(0).toUpperCase()}${what.slice(1)}.`,
    parameters: parametersOf(name),
    responses: {
      200: { description: 'The answer.', content: { 'application/json': { schema } } },
      ...Object.fromEntries(statuses),
    },
  }
}

function parametersOf(name: ApiName): Json[] {
  const { properties = {}, required = [] } = jsonSchema(API_QUERIES[name], 'input') as { properties?: Json; required?: string[] }
  const path = pathOf(name)
  return Object.entries(properties).map(([parameter, schema]) => {
    const inPath = path.includes(`{${parameter}}`)
    const place = inPath ? 'path' : 'query'
    const example = API_EXAMPLES[name][parameter]
    return {
      name: parameter,
      in: place,
      required: inPath || required.includes(parameter),
      schema,
      ...(example !== undefined && { example }),
    }
  })
}

function refusal(description: string): Json {
  return { description, content: { 'application/json': { schema: { $ref: '#/components/schemas/Refusal' } } } }
}

function pathOf(name: ApiName): string {
  return API_ROUTES[name].path.replaceAll(/:(\w+)/g, '{$1}')
}

function titleOf(name: ApiName): string {
  return name.charAt(0).toUpperCase() + name.slice(1)
}

/** An address to try, without host. */
export function exampleAddress(name: ApiName): string {
  const { path } = API_ROUTES[name]
  const inPath = ([parameter]: readonly [string, unknown]) => path.includes(`:${parameter}`)
  const given = Object.entries(API_EXAMPLES[name])
  const filled = given.filter(inPath).reduce((at, [parameter, value]) => at.replace(`:${parameter}`, encodeURIComponent(value)), path)
  const query = given.filter((one) => !inPath(one)).map(([parameter, value]) => `${parameter}=${encodeURIComponent(value)}`)
  return query.length === 0 ? filled : `${filled}?${query.join('&')}`
}

/** Without the name of the dialect, which the document has for all of them, and without what a format says already. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema: made }) => {
      if (made.format !== undefined) delete made.pattern
      if (made.maximum === Number.MAX_SAFE_INTEGER) delete made.maximum
    },
  }) as Json
  return rest
}
