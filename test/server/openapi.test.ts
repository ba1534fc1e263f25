/** The document of the API: sound by OpenAPI's own schema, and by what its readers need beyond that. */
import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import { API_QUERIES } from '../../src/server/api-queries.ts'
import type { ApiName } from '../../src/server/api-schemas.ts'
import { exampleAddress, openApi } from '../../src/server/openapi.ts'
import { API_ROUTES } from '../../src/server/routes.ts'

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean; readonly example?: unknown }[]
  readonly responses: Readonly<Record<string, unknown>>
}

const document = JSON.parse(JSON.stringify(openApi('1.2.3'))) as {
  readonly paths: Readonly<Record<string, { readonly get: Operation }>>
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}
const names = Object.keys(API_ROUTES) as ApiName[]

test('is valid OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate(document)
  expect([valid, errors]).toEqual([true, undefined])
})

test('refers to nothing that it has not', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)]
  expect(references.length).toBeGreaterThan(names.length)
  for (const [, kind = '', name = ''] of references) expect(document.components[kind]).toHaveProperty(name)
  expect(JSON.stringify(document).match(/"\$ref":"(?!#\/components\/)/)).toBeNull()
})

test('has every route once, each with a sentence, its answer and its refusals', () => {
  const operations = Object.values(document.paths).map(({ get }) => get)
  expect(operations.map(({ operationId }) => operationId)).toEqual(names)
  for (const { summary, responses } of operations) {
    expect(summary).toMatch(/^[A-Z].*\.$/)
    expect(Object.keys(responses)).toEqual(['200', '400', '401', '403', '404', '503'])
  }
})

test('names each part of a path, and an example is one that the route takes', () => {
  for (const [path, { get }] of Object.entries(document.paths)) {
    const parts = [...path.matchAll(/\{(\w+)\}/g)].map(([, part]) => part)
    expect(get.parameters.filter(({ in: place }) => place === 'path').map(({ name }) => name)).toEqual(parts)
    const examples = Object.fromEntries(
      get.parameters.flatMap(({ name, example }) => (example === undefined ? [] : [[name, String(example)]])),
    )
    expect(API_QUERIES[get.operationId as ApiName].safeParse(examples).success).toBe(true)
  }
  expect(exampleAddress('product')).toBe('/api/v1/products/p-3?limit=3')
})
