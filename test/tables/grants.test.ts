import { expect, test } from 'vitest'
import { objectsOf } from '../../src/tables/cluster.ts'
import { grantStatements, grantsOf, ROLES } from '../../src/tables/grants.ts'
import { OBJECTS } from '../../src/tables/schema.ts'
import { plainForm } from '../../workshop/tables.ts'

const form = plainForm('ctr')
const on = (role: (typeof ROLES)[number], right: string) => grantsOf(form, role).flatMap(([each, thing]) => (each === right ? [thing] : []))

test('the writer may insert into every table but those that feeds fill', () => {
  const fed = new Set(OBJECTS.flatMap((object) => (object.kind === 'feed' ? [object.to] : [])))
  const written = OBJECTS.filter(({ kind, name }) => kind === 'table' && !fed.has(name))
  expect(new Set(on('writer', 'INSERT'))).toEqual(new Set(written.map(({ name }) => `\`ctr\`.${name}`)))
})

test('the reader may read every view, and whatever table a view names', () => {
  const names = OBJECTS.map(({ name }) => name)
  const named = OBJECTS.flatMap((object) => {
    if (object.kind !== 'view') return []
    const query = object.query({
      all: (name) => `<${name}>`,
      here: (name) => `<${name}>`,
      retention: form.retention,
      intervals: form.intervals,
    })
    return [object.name, ...names.filter((name) => query.includes(`<${name}>`))]
  })
  expect(new Set(on('reader', 'SELECT'))).toEqual(new Set(named.map((name) => `\`ctr\`.${name}`)))
})

test('in a cluster what is granted on a table or view over all servers is granted on its part of each, too', () => {
  const cluster = { ...form, embedded: false, cluster: 'main' }
  for (const role of ROLES) {
    const granted = new Set(grantsOf(cluster, role).map((grant) => grant.join(' on ')))
    for (const object of objectsOf(cluster)) {
      if (object.kind !== 'distributed') continue
      for (const right of ['SELECT', 'INSERT']) {
        const [over, part] = [object.name, object.of.name].map((name) => granted.has(`${right} on \`ctr\`.${name}`))
        if (over) expect([role, right, object.of.name, part]).toEqual([role, right, object.of.name, true])
      }
    }
  }
  const reader = grantsOf(cluster, 'reader').map(([, thing]) => thing)
  for (const { kind, name } of OBJECTS) if (kind === 'view') expect(reader).toContain(`\`ctr\`.${name}`)
  expect(grantsOf(cluster, 'writer')).toContainEqual(['OPTIMIZE', '`ctr`.ctr_latest_computed_local'])
  for (const right of ['CLUSTER', 'REMOTE']) expect(grantsOf(cluster, 'owner')).toContainEqual([right, '*.*'])
})

test('nobody is granted one right on one thing twice, nor has the reader any right but to read', () => {
  for (const role of ROLES) {
    const all = grantsOf(form, role).map((grant) => grant.join(' on '))
    expect(new Set(all).size).toBe(all.length)
  }
  expect(new Set(grantsOf(form, 'reader').map(([right]) => right))).toEqual(new Set(['SELECT']))
})

test('rights on one thing are granted by one statement', () => {
  const grants = [
    ['INSERT', 'a'],
    ['SELECT', 'b'],
    ['SELECT', 'a'],
  ] as const
  expect(grantStatements(grants, '`u`')).toEqual(['GRANT INSERT, SELECT ON a TO `u`', 'GRANT SELECT ON b TO `u`'])
})
