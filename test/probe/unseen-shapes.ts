/**
 * Records in the shapes of producers that the probe was not written from, and what each of them is by a plain reading of its own: the
 * events of a record, or none where it is of another kind.
 */

/** A record as its producer wrote it, and what it stands for. */
export interface ShapedRecord {
  readonly text: string
  readonly events: readonly { readonly product: string; readonly click: boolean; readonly time: number }[]
  /** Kafka's; that of the event when absent. */
  readonly timestamp?: number
}

const START = Date.UTC(2024, 10, 28, 13, 20)

/** Numbers that look random and are the same each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

type Make = (i: number, random: (below: number) => number) => ShapedRecord

function shape(seed: number, make: Make, count = 400): ShapedRecord[] {
  const random = numbers(seed)
  return Array.from({ length: count }, (_, i) => make(i, random))
}

const iso = (ms: number) => new Date(ms).toISOString()
const json = (value: unknown) => JSON.stringify(value)

/** By the topic's name. */
export const UNSEEN_SHAPES: { readonly [topic: string]: readonly ShapedRecord[] } = {
  // Like Snowplow's enriched events: many times, a context that is an array, event names of one's own.
  'snowplow-enriched': shape(1, (i, random) => {
    const time = START + i * 700 - random(3000)
    const name = ['product_impression', 'product_impression', 'product_click', 'page_ping', 'link_click'][random(5)] ?? ''
    const products = Array.from({ length: 1 + random(3) }, () => `SKU${random(50)}`)
    const counts = name.startsWith('product_')
    const event = {
      app_id: 'web',
      platform: 'web',
      etl_tstamp: iso(time + 5000)
        .replace('T', ' ')
        .slice(0, -1),
      collector_tstamp: iso(time + 900)
        .replace('T', ' ')
        .slice(0, -1),
      dvce_created_tstamp: iso(time - 100_000)
        .replace('T', ' ')
        .slice(0, -1),
      event: 'unstruct',
      event_id: `${i}-4d2b-4000-8000-${random(1e9)}`,
      user_ipaddress: '10.0.0.1',
      domain_userid: `d${random(40)}`,
      page_url: `https://shop.example/list/${random(9)}`,
      event_name: name,
      contexts_com_acme_product_1: counts ? products.map((sku) => ({ sku, name: `Product ${sku}`, price: 1.5 })) : [],
      derived_tstamp: iso(time).replace('T', ' ').slice(0, -1),
    }
    return {
      text: json(event),
      events: counts ? products.map((product) => ({ product, click: name === 'product_click', time })) : [],
      timestamp: time + 950,
    }
  }),
  // Like GA4's export: parameters as key and value, microseconds as text, items.
  'analytics-export': shape(2, (i, random) => {
    const time = START + i * 500
    const name = ['view_item_list', 'view_item_list', 'select_item', 'session_start', 'scroll', 'add_to_cart'][random(6)] ?? ''
    const items = Array.from({ length: random(4) }, (_, index) => ({
      item_id: `I-${random(60)}`,
      item_name: 'x',
      item_brand: 'b',
      index,
      quantity: 1,
    }))
    const event = {
      event_date: '20241128',
      event_timestamp: `${time}123`,
      event_name: name,
      event_params: [
        { key: 'page_title', value: { string_value: 'View all' } },
        { key: 'ga_session_id', value: { int_value: 1732800000 + random(1000) } },
      ],
      user_pseudo_id: `${random(1e6)}.17`,
      device: { category: 'mobile' },
      items,
    }
    const counts = name === 'view_item_list' || name === 'select_item'
    return {
      text: json(event),
      events: counts ? items.map(({ item_id }) => ({ product: item_id, click: name === 'select_item', time })) : [],
    }
  }),
  // A tracking pixel behind nginx, whose log is JSON: the type is the path, all values are text.
  'edge-access-log': shape(3, (i, random) => {
    const time = START + i * 300
    const uri = ['/imp.gif', '/imp.gif', '/imp.gif', '/click', '/healthz'][random(5)] ?? ''
    const product = String(1000 + random(80))
    const line = {
      time_iso8601: iso(time).replace(/\.\d+Z$/, '+00:00'),
      msec: (time / 1000).toFixed(3),
      remote_addr: '192.0.2.7',
      request_method: 'GET',
      uri,
      arg_item: uri === '/healthz' ? '' : product,
      arg_uid: `u${random(30)}`,
      status: '200',
      bytes_sent: '43',
      http_user_agent: 'Mozilla/5.0',
    }
    return { text: json(line), events: uri === '/healthz' ? [] : [{ product, click: uri === '/click', time }] }
  }),
  // A log in nginx's own form of time, and a table's export with days before months.
  'pixel-log-local': shape(12, (i, random) => {
    const time = START + i * 1000
    const clock = iso(time).slice(11, 19)
    const kind = random(4) === 0 ? 'click' : 'view'
    const product = `s${random(20)}`
    return {
      text: json({ time_local: `28/Nov/2024:${clock} +0000`, status: 200, sku: product, action: kind }),
      events: [{ product, click: kind === 'click', time }],
    }
  }),
  'export-eu': shape(
    13,
    (i, random) => {
      const time = Date.UTC(2024, 10, 2, 20) + i * 600_000
      const at = iso(time)
      const kind = random(4) === 0 ? 'CLICK' : 'SHOW'
      const product = `s${random(20)}`
      const written = `${at.slice(8, 10)}/${at.slice(5, 7)}/${at.slice(0, 4)} ${at.slice(11, 19)}`
      return { text: json({ datum: written, offer_id: product, ereignis: kind }), events: [{ product, click: kind === 'CLICK', time }] }
    },
    2000,
  ),
  // Kafka Connect's JDBC source with schemas, enumerations in capitals, a time without a zone.
  'jdbc.shop.events': shape(4, (i, random) => {
    const time = START + i * 900
    const action = ['DISPLAYED', 'DISPLAYED', 'CLICKED', 'ADDED_TO_CART'][random(4)] ?? ''
    const product = String(500_000_000_000_000_000n + BigInt(random(90)))
    const at = iso(time).replace('T', ' ').slice(0, -1)
    const payload = `{"row_id":${i},"item_no":${product},"cust_no":${random(500)},"action":"${action}","event_ts":"${at}000"}`
    const schema = json({ type: 'struct', fields: [{ field: 'item_no', type: 'int64' }], optional: false, name: 'events' })
    return {
      text: `{"schema":${schema},"payload":${payload}}`,
      events: action === 'ADDED_TO_CART' ? [] : [{ product, click: action === 'CLICKED', time }],
    }
  }),
  // An ad server's short keys, microseconds since the epoch, the creative as an object.
  adlog: shape(5, (i, random) => {
    const time = START + i * 40
    const ev = random(20) === 0 ? 'CLK' : random(30) === 0 ? 'CNV' : 'IMP'
    const id = 88_000 + random(70)
    const event = {
      v: 3,
      ts: time * 1000 + random(999),
      ev,
      rid: `r${i}`,
      creative: { id, campaign: random(9), size: '300x250' },
      uid: null,
      bid: 0.25,
    }
    return { text: json(event), events: ev === 'CNV' ? [] : [{ product: String(id), click: ev === 'CLK', time }] }
  }),
  // Java enumerations, nanoseconds, ids beyond 2^53.
  'catalog.behaviour.v2': shape(6, (i, random) => {
    const time = START + i * 200
    const type = ['PRODUCT_VIEWED', 'PRODUCT_VIEWED', 'PRODUCT_CLICKED', 'CART_VIEWED', 'ORDER_PLACED'][random(5)] ?? ''
    const product = String(9_007_199_254_740_993n + BigInt(random(64)) * 2n)
    const others = `"categoryId":${random(9)},"customer":{"customerId":${random(99)}}`
    const occurredAt = `${iso(time).slice(0, -1)}456789Z`
    const text = `{"eventId":"e${i}","eventType":"${type}","goodsId":${product},${others},"occurredAt":"${occurredAt}"}`
    return { text, events: type.startsWith('PRODUCT') ? [{ product, click: type === 'PRODUCT_CLICKED', time }] : [] }
  }),
  // German words, and German time without a zone in a topic whose records have their own times.
  ereignisse: shape(7, (i, random) => {
    const time = START + i * 1000
    const aktion = ['Anzeige', 'Anzeige', 'geklickt', 'gekauft'][random(4)] ?? ''
    const product = `A-${random(40)}`
    const event = { aktion, artikelnummer: product, kunde: `k${random(20)}`, zeitstempel: iso(time + 3_600_000).slice(0, 19) }
    return {
      text: json(event),
      events: aktion === 'gekauft' ? [] : [{ product, click: aktion === 'geklickt', time }],
      timestamp: time + random(2000),
    }
  }),
  // A search service: what was shown is an array, a flag on each says what was clicked; float seconds.
  'search-results': shape(8, (i, random) => {
    const time = START + i * 800
    const results = Array.from({ length: 1 + random(5) }, (_, rank) => ({
      doc_id: `d${random(70)}`,
      rank,
      score: 0.5,
      clicked: random(8) === 0,
    }))
    const event = { request_id: `q${i}`, ts: time / 1000, query: 'view master', user: { id: `u${random(30)}` }, results }
    const events = results.flatMap(({ doc_id: product, clicked }) => [
      { product, click: false, time },
      ...(clicked ? [{ product, click: true, time }] : []),
    ])
    return { text: json(event), events }
  }),
  // Names as C# writes them, seven digits of a second, an offset.
  'Shop.Tracking': shape(9, (i, random) => {
    const time = START + i * 600
    const type = ['ProductImpression', 'ProductImpression', 'ProductClick', 'BasketChanged'][random(4)] ?? ''
    const product = `P-${random(45)}`
    const event = {
      EventId: `${i}-guid`,
      EventType: type,
      Product: { Id: product, Name: 'x', CategoryId: 4 },
      User: { Id: random(90), Email: 'a@b.example' },
      Timestamp: `${iso(time + 7_200_000).slice(0, -1)}4567+02:00`,
    }
    return { text: json(event), events: type === 'BasketChanged' ? [] : [{ product, click: type === 'ProductClick', time }] }
  }),
  // Two generations of a producer on one topic, Python's NaN, and a byte order mark now and then.
  'web-events': shape(10, (i, random) => {
    const time = START + i * 250
    const type = ['impression', 'impression', 'click', 'purchase'][random(4)] ?? ''
    const product = `p${random(33)}`
    const old = `{"productId":"${product}","event":"${type}","price":NaN,"time":${Math.floor(time / 1000)}}`
    const fresh = `{"event":"${type}","product_id":"${product}","price":1.5,"time":${time}}`
    const isOld = random(2) === 0
    const seen = { product, click: type === 'click', time: isOld ? Math.floor(time / 1000) * 1000 : time }
    return { text: `${random(50) === 0 ? '\ufeff' : ''}${isOld ? old : fresh}`, events: type === 'purchase' ? [] : [seen] }
  }),
  // A topic of one kind, told by its name alone, and without any time.
  'banner-clicks': shape(11, (i, random) => {
    const product = `b-${random(25)}`
    return {
      text: json({ banner_id: product, position: random(5), session_id: `s${random(50)}` }),
      events: [{ product, click: true, time: START + i * 100 }],
      timestamp: START + i * 100,
    }
  }),
}
