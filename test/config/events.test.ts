/** What a configuration may say of events. */
import { describe, expect, test } from 'vitest'
import { KEYS } from '../../src/config/catalog.ts'
import { CHANGE_KEYS, keptEvents, shrinkingChange } from '../../src/config/events-change.ts'
import { EVENTS_DEFAULT, eventsConfigOf } from '../../src/config/events-section.ts'
import { pathOf } from '../../src/config/field-path.ts'
import { loadConfig } from '../../src/config/load.ts'
import { eventsWith } from '../../workshop/plain-rules.ts'

test.each<[string, readonly string[] | undefined]>([
  ['product_id', ['product_id']],
  ['payload.after.sku', ['payload', 'after', 'sku']],
  ['data."product.id"', ['data', 'product.id']],
  ['"a\\"b"."c\\\\d"', ['a"b', 'c\\d']],
  ['@timestamp', ['@timestamp']],
  ['', undefined],
  ['a.', undefined],
  ['.a', undefined],
  ['a..b', undefined],
  ['a b', undefined],
  ['"a', undefined],
  ['"a"b', undefined],
])('the path %s', (text, steps) => expect(pathOf(text)).toEqual(steps && { steps, element: undefined }))

test.each<[string, readonly string[] | undefined, readonly string[] | undefined]>([
  ['items[].item_id', ['items'], ['item_id']],
  ['a.items[].x."y.z"', ['a', 'items'], ['x', 'y.z']],
  ['"my items"[].id', ['my items'], ['id']],
  ['"a[]"', ['a[]'], undefined],
  ['ids[]', ['ids'], []],
  ['a[].b[].c', undefined, undefined],
  ['[].a', undefined, undefined],
  ['a[]b', undefined, undefined],
  ['a[0].b', undefined, undefined],
  ['a[', undefined, undefined],
])('the path into an array %s', (text, steps, element) => expect(pathOf(text)).toEqual(steps && { steps, element }))

describe('a topic', () => {
  const topicEvents = (sets: readonly string[]) => {
    const { events, kafka } = loadConfig({ env: {}, sets })
    return kafka.topics.map((topic) => eventsConfigOf(events, topic.events))
  }

  test('has what the section events has, and what it says itself over that, key by key', () => {
    const [a, b] = topicEvents([
      'events.types.click=[tap]',
      'events.fields.product=sku',
      'kafka.topics=[{name: a, events: {types: {impression: [seen]}, fields: {time: at}}}, b]',
    ])
    expect(a?.types).toMatchObject({ click: ['tap'], impression: ['seen'] })
    expect(a?.fields).toEqual({ product: ['sku'], time: ['at'] })
    expect(b).toEqual({ ...EVENTS_DEFAULT, types: { ...EVENTS_DEFAULT.types, click: ['tap'] }, fields: { product: ['sku'] } })
  })

  test('of another envelope has fields of its own', () => {
    const [a] = topicEvents(['events.fields.product=sku', 'kafka.topics=[{name: a, events: {envelope: segment}}]'])
    expect(a).toMatchObject({ envelope: 'segment', fields: {} })
  })
})

test.each([
  ['events.fields.product=a..b', /events\.fields\.product.*is no path.*write product_id, payload\.after\.sku/s],
  ['events.fields.product=a.b.c.d.e.f.g.h.i', /has more than 8 keys/],
  ['events.fields.product=user_id,x', undefined],
  ['events.fields={product: x, time: x}', /events\.fields\.time.*names x, as events\.fields\.product does/s],
  ['events.types={impression: [a], click: [A]}', /events\.types\.click.*has a, as events\.types\.impression has/s],
  ['events.types={impression: [a], click: [A], caseSensitive: true}', undefined],
  ['events.time.zone=Berlin', /is no zone that is known.*write UTC, \+02:00/s],
  ['events.time.zone=Europe/Berlin', undefined],
  ['events.time.formats=["%H:%M"]', /events\.time\.formats.*has no year/s],
  ['events.time.formats=["%F %T"]', undefined],
  ['events.fields={product: "items[].id", time: at}', undefined],
  ['events.fields={product: "items[].id", time: "items[].at"}', undefined],
  ['events.fields={product: "items[].id", time: "others[].at"}', /leads into another array.*name one array/s],
  ['events.fields={product: sku, time: "items[].at"}', /events\.fields\.product must be in the elements.*items\[\]\.at/s],
  ['events.fields={product: ["items[].id", sku]}', /events\.fields\.product must be in the elements/],
  ['events={click: {field: "items[].clicked"}}', /events\.fields\.product must be in the elements/],
  ['events={click: {field: clicked}, fields: {product: sku}}', undefined],
  ['events={click: {field: clicked}, maxPerRecord: 10001}', /write a value from 1 to 10000/],
  ['events.type=view', /write impression \| click/],
  ['kafka.topics=[{name: a, events: {types: {click: [view]}}}]', /kafka\.topics\[0\]\.events\.types\.click/],
  ['kafka.topics=[{name: a, events: {feilds: {}}}]', /did you mean kafka\.topics\[\]?\.events\.fields|feilds/],
])('%s', (set, fault) => {
  const load = () => loadConfig({ env: {}, sets: [set] })
  if (fault === undefined) expect(load).not.toThrow()
  else expect(load).toThrow(fault)
})

describe('a change of what is said', () => {
  test.each<[object, object, RegExp | undefined]>([
    [{}, {}, undefined],
    [{ fields: { product: 'a' } }, { fields: { product: 'b' } }, /events\.fields\.product a, now b/],
    [{}, { fields: { product: 'b' } }, /events\.fields\.product not given, now b/],
    [{}, { envelope: 'connect' }, /events\.envelope none, now connect/],
    [{}, { types: { click: ['click', 'clicks', 'tap'] } }, undefined],
    [{}, { types: { click: ['click'] } }, /events\.types\.click click, clicks, now click/],
    [{ types: { caseSensitive: true } }, {}, undefined],
    [{}, { types: { caseSensitive: true } }, /caseSensitive false, now true/],
    [{}, { types: { other: 'invalid' }, empty: 'invalid' }, undefined],
    [{ product: { numbers: false } }, {}, undefined],
    [{}, { product: { numbers: false } }, /events\.product\.numbers true, now false/],
    [{}, { user: { required: true } }, /events\.user\.required false, now true/],
    [{}, { fields: { user: 'uid' } }, undefined],
    [{ user: { required: true } }, { user: { required: true }, fields: { user: 'uid' } }, /events\.fields\.user not given, now uid/],
    [{}, { type: 'click' }, /events\.type not given, now click/],
    [{}, { time: { unit: 'ms' } }, /events\.time\.unit auto, now ms/],
    [{}, { time: { source: 'record' } }, /events\.time\.source field, now record/],
    [{}, { time: { formats: ['%F'] } }, /events\.time\.formats .*now %F/],
    [{}, { onNothingCounted: 'hold' }, undefined],
    [{}, { click: { field: 'clicked' } }, /events\.click\.field not given, now clicked/],
    [{ maxPerRecord: 10 }, {}, undefined],
    [{}, { maxPerRecord: 10 }, /events\.maxPerRecord 1000, now 10/],
  ])('from %j to %j', (before, now, change) => {
    const found = shrinkingChange(keptEvents(before as never), eventsWith(now))
    if (change === undefined) expect(found).toBeUndefined()
    else expect(shrinkingChange(eventsWith(before), eventsWith(now))).toMatch(change)
  })

  test('is judged of every key that there is', () => {
    const keys = KEYS.filter(({ path, field }) => path.startsWith('events.') && !path.includes('[]') && field !== undefined)
    expect(keys.map(({ path }) => path.slice('events.'.length)).toSorted()).toEqual(CHANGE_KEYS.toSorted())
  })
})
