/** What names of fields, types and topics say, by the words in them: product_id, ProductID or "Product Viewed". */

/** The words of a name, in lower case. */
function wordsOf(name: string): string[] {
  return name
    .replaceAll(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .filter((word) => word !== '')
}

/** What a type, or a topic's name, says of an event; the higher the tier, the surer. */
export interface Meaning {
  readonly kind: 'impression' | 'click'
  readonly tier: 1 | 2 | 3
}

const set = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/))

const SHOWN = set(`impression impressions imp imps impr exposure exposures exposed expose shown show shows display displayed displays
  rendered render served serve seen viewable visible einblendung einblendungen anzeige anzeigen angezeigt
  impresion impresiones impresión impressão impressões
  показ показы показан 曝光 展示 インプレッション`)
const VIEWED = set(`view viewed views viewing vista vistas visto vu vue vues affichage ansicht ansichten angesehen просмотр просмотры 浏览`)
const CLICKED = set(`click clicked clicks clk clickthrough tap tapped taps klick klicks geklickt klik clic clics clique cliqué clicou
  tıklama tıklandı клик клики 点击 クリック`)
const SELECTED = set('select selected selection')
/** What is looked at there holds many products. */
const LISTS = set('list lists results feed shelf carousel widget slot recommendation recommendations rail grid')
/** Looking at these, or a click on one, is of no product. */
const ELSEWHERE = set(`cart basket bag checkout wishlist page screen home homepage search order orders payment login account profile
  settings help menu nav navigation button link filter sort map coupon promotion tab form popup modal notification email`)
const UNDONE = set('fail failed error undo undone remove removed hide hidden hover closed dismissed skipped')

/** What a text says of an event; undefined when it says neither. */
export function meaningOf(text: string): Meaning | undefined {
  const words = wordsOf(text)
  const has = (some: ReadonlySet<string>) => words.some((word) => some.has(word))
  if (has(UNDONE)) return undefined
  const isClick = has(CLICKED) || has(SELECTED)
  const isShown = has(SHOWN) || has(VIEWED)
  if (!isClick && !isShown) return undefined
  const kind = isClick ? 'click' : 'impression'
  if (has(ELSEWHERE)) return { kind, tier: 1 }
  const isSure = isClick ? has(CLICKED) : has(SHOWN) || has(LISTS)
  return { kind, tier: isSure ? 3 : 2 }
}

/** What the clicks may be called that belong to impressions of this type; for none that is seen yet. */
export function clickFor(impression: string): string | undefined {
  if (impression.toLowerCase() === 'view_item_list') return 'select_item'
  const word = impression.match(/[\p{L}\p{M}]+/gu)?.find((one) => {
    const [last = ''] = wordsOf(one).slice(-1)
    return SHOWN.has(last) || VIEWED.has(last)
  })
  if (word === undefined) return undefined
  const form = /ed$|seen$|shown$/i.test(word) ? 'clicked' : /s$/i.test(word) ? 'clicks' : 'click'
  const [first = ''] = word
  const styled =
    word === word.toUpperCase() ? form.toUpperCase() : first === first.toUpperCase() ? form[0]?.toUpperCase() + form.slice(1) : form
  const hump = /^(.*\p{Ll})\p{Lu}\p{Ll}+$/u.exec(word)?.[1]
  return impression.replace(word, hump === undefined ? styled : `${hump}C${form.slice(1)}`)
}

/** Whether a field's own name says that its truth is a click. */
export function saysClicked(name: string): boolean {
  return wordsOf(name).some((word) => CLICKED.has(word))
}

/** How well the name of a type's field says that it is one: 0 for not at all. */
export function typeNameScore(name: string): number {
  const words = wordsOf(name)
  const [last = ''] = words.slice(-1)
  if (!TYPE_NAMES.has(last)) return 0
  return words.some((word) => TYPE_OF.has(word)) ? 30 : 22
}

const TYPE_NAMES =
  set(`type types event events ev evt et action act kind name verb activity behavior behaviour interaction aktion ereignis typ tipo
  evento accion acción действие событие`)
const TYPE_OF = set('event action ad interaction activity user behavior behaviour')

/** What products are called; how surely. */
const PRODUCTS: readonly (readonly [ReadonlySet<string>, number])[] = [
  [
    set(`product products item items sku asin article articles goods good offer listing gtin ean upc produkt artikel producto articulo
      artículo produit prodotto articolo produto товар 商品 merchandise productid itemid skuid prodid prod aid pid iid
      artikelnummer artikelnr produktnummer goodsid`),
    100,
  ],
  [set('adid ad ads advert advertisement creative creatives banner content contents nid bid gid'), 85],
  [
    set(`video movie film track song book news post story doc document hotel recipe restaurant job vehicle car deal card tile asset media
      program campaign entity resource element object target mid vid recommendation`),
    60,
  ],
  [set('slug url uri path href link page'), 30],
]
/** The end of a name that says that it is an id. */
const ID_WORDS = set('id ids key code no nr number num uuid guid identifier ref reference kennung')
const UNLIKE = set('parent previous prev next root last first original main related source external')

/** How well the keys on the way to a value say that it is a product's id: 0 for not at all, up to 115. */
export function productNameScore(steps: readonly string[]): number {
  return nounScore(steps, (noun) => PRODUCTS.find(([nouns]) => nouns.has(noun))?.[1] ?? 0)
}

const TIMES: readonly (readonly [ReadonlySet<string>, number])[] = [
  [set('timestamp tstamp zeitstempel horodatage время'), 100],
  [set('time ts datetime zeit fecha heure hora msec epoch'), 90],
  [set('at when occurred created'), 80],
  [set('date datum'), 60],
]
const TIME_UNITS = set('ms us ns s sec secs millis micros nanos millisecond milliseconds seconds utc iso iso8601 epoch gmt local unix us')
const OTHER_TIMES = set(`received receive sent send ingested ingest ingestion processed process loaded load updated update modified stored
  collector etl expires expire expiry published publish scheduled start started begin end ended ending first last previous prev birth valid
  true session server sync synced deleted previously cookie duration dvce device`)

/** How well the keys on the way say that it is the event's time. */
export function timeNameScore(steps: readonly string[]): number {
  const words = wordsOf(steps.at(-1) ?? '')
  while (words.length > 1 && TIME_UNITS.has(words.at(-1) ?? '')) words.pop()
  const named = Math.max(...words.map((word) => TIMES.find(([some]) => some.has(word))?.[1] ?? 0))
  const others = [...words, ...steps.slice(0, -1).flatMap(wordsOf)].filter((word) => OTHER_TIMES.has(word) || word === 'source')
  return named === 0 ? 0 : Math.max(1, named - others.length * 40)
}

const USERS = set(`user users visitor customer client member account person anonymous cookie device uid subscriber shopper buyer player
  viewer session guest profile email mail phone ip benutzer kunde nutzer usuario utilisateur cliente пользователь 用户 fingerprint suid duid
  sessionid userid visitorid`)
const NO_USER = set('agent score feature features count rank segment type group')

/** How well the keys on the way say that it is a user. */
export function userNameScore(steps: readonly string[]): number {
  const words = wordsOf(steps.at(-1) ?? '')
  if (words.some((word) => NO_USER.has(word))) return 0
  const named = nounScore(steps, (noun) => (MAIN_USERS.has(noun) ? 100 : USERS.has(noun) ? 60 : 0))
  return named || (ID_WORDS.has(words.at(-1) ?? '') && words.some((word) => MAIN_USERS.has(word)) ? 70 : 0)
}

const MAIN_USERS = set('user visitor customer userid uid member')

/** Whether what lies below these keys may tell a person: then it is not shown. */
export function isPersonal(steps: readonly string[]): boolean {
  return steps.some((step) => wordsOf(step).some((word) => USERS.has(word) || PERSONAL.has(word)))
}

const PERSONAL = set(`firstname lastname surname fullname address street postcode latitude longitude lat lon lng birthday token
  authorization password secret addr`)

/** How well a name says that it is the id of the event itself. */
export function eventIdScore(steps: readonly string[]): number {
  if (!ID_WORDS.has(wordsOf(steps.at(-1) ?? '').at(-1) ?? '')) return 0
  return nounScore(steps, (noun) =>
    ['event', 'message', 'msg', 'impression', 'request', 'insert', 'uuid', 'record'].includes(noun) ? 100 : 0,
  )
}

/** By the noun that an id is of: the last word of the key that is not "id", or, where the key has no other, of the key around it. */
function nounScore(steps: readonly string[], scoreOf: (noun: string) => number): number {
  for (let at = steps.length - 1; at >= 0; at--) {
    const words = wordsOf(steps[at] ?? '')
    const isId = ID_WORDS.has(words.at(-1) ?? '')
    while (words.length > 0 && ID_WORDS.has(words.at(-1) ?? '')) words.pop()
    if (words.at(-1) === 'src') words.pop()
    const noun = words.at(-1)
    if (noun === undefined) continue
    const inside = at < steps.length - 1
    // A key around the value names it only where the value's own has no name but "id".
    if (inside && !ID_WORDS.has(wordsOf(steps[at + 1] ?? '').at(-1) ?? '')) return 0
    const score = scoreOf(noun)
    const unlike = words.slice(0, -1).some((word) => UNLIKE.has(word)) ? 40 : 0
    return score === 0 ? 0 : Math.max(0, score + (isId || inside ? 15 : 0) - unlike)
  }
  return 0
}
