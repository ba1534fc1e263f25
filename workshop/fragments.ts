/** The pieces that events for the parsers' tests are made of: valid ones, odd but valid ones, and wrong ones, as bytes. */

const bytes = (latin1: string): Buffer => Buffer.from(latin1, 'latin1')
const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8')
const quoted = (texts: readonly string[]): Buffer[] => texts.map((text) => utf8(`"${text}"`))

/** Strings as they stand between quotes: escapes of all kinds, well-formed or not. */
const ESCAPES = [
  '\\n',
  'a\\"b',
  '\\\\',
  '\\\\\\"',
  '\\/',
  '\\b\\f\\r\\t',
  'p\\u002d1',
  '\\u0041',
  '\\u00e9',
  '\\u20AC',
  '\\u0000',
  '\\u001f',
  '\\ud83d\\ude00',
  '\\ud83d',
  '\\ude00',
  '\\ude00\\ud83d',
  '\\ud83dx',
  'x\\uD800\\uD800',
  '\\uDBFF\\uDFFF',
]
const BAD_ESCAPES = ['\\x41', '\\u12', '\\u12G4', '\\U0041', "\\'", '\\', '\\0', '\\ u0041', '\\u', '\\u{41}']

/** Characters of every length in UTF-8, and those that parsers of other languages treat in a special way. */
const CHARACTERS = [
  'é',
  '€',
  '😀',
  'a\u0301',
  '\u2028',
  '\u2029',
  '\ufeff',
  '\ufffd',
  '\ufffe',
  '\u{10ffff}',
  '\u007f',
  '\u0080',
  '\ud7ff',
  '\ue000',
  '١٢٣',
  '×',
]

/** Bytes that are not UTF-8. */
const NOT_UTF8 = [
  '\x80',
  '\xbf',
  '\xc0\xaf',
  '\xc1\xbf',
  '\xc3',
  '\xc3(',
  '\xe0\x80\x80',
  '\xe0\x9f\xbf',
  '\xe2\x82',
  '\xe2(\xa1',
  '\xed\xa0\x80',
  '\xed\xbf\xbf',
  '\xf0\x80\x80\x80',
  '\xf0\x8f\xbf\xbf',
  '\xf0\x9f\x98',
  '\xf4\x90\x80\x80',
  '\xf5\x80\x80\x80',
  '\xf8\x88\x80\x80\x80',
  '\xfe',
  '\xff',
].map((text) => Buffer.concat([bytes('"a'), bytes(text), bytes('"')]))

/** Characters that JSON wants escaped. */
const CONTROLS = ['\0', '\x01', '\t', '\n', '\r', '\x1f', 'a\nb'].map((text) => utf8(`"${text}"`))

export const LITERALS = [
  'true',
  'false',
  'null',
  'True',
  'nul',
  'nulll',
  'tru',
  'falsee',
  'undefined',
  'NaN',
  'Infinity',
  '-Infinity',
  '',
].map(bytes)

export const NUMBERS = [
  ...['0', '-0', '1', '-1', '0.0', '-0.0', '1.5', '1e5', '1E5', '1e+5', '1e-5', '1.5e3', '0e0', '0E+0', '123456789012345678901234567890'],
  ...['1e400', '-1e400', '1e-400', '9007199254740993', '1.7976931348623157e308', '0.1e1', '5e-324'],
  ...[
    '01',
    '-01',
    '00',
    '+1',
    '.5',
    '-.5',
    '1.',
    '1.e5',
    '1e',
    '1e+',
    '-',
    '+',
    '0x10',
    '0b1',
    '1_000',
    '1,5',
    '- 1',
    '1 2',
    '--1',
    '1e5.5',
    '1..2',
    '1e5e5',
  ],
].map(bytes)

/** What stands for a timestamp, right and wrong. */
export const TIMES = [
  ...[
    '1659304800025.0',
    '1659304800025.000',
    '1.659304800025e12',
    '1.659304800025E+12',
    '16593048000250e-1',
    '165930480002.5e1',
    '1659304800025e0',
  ],
  ...[
    '1659304800025.5',
    '1659304800025.000000000000000001',
    '1659304800024.9999999999',
    '253402300799999',
    '253402300800000',
    '253402300799999.99999999',
  ],
  ...[
    '253402300799998.99',
    '2.53402300799999e14',
    '1',
    '0',
    '-0',
    '-1',
    '-1659304800025',
    '0.9999999999999999999',
    '00001659304800025',
    '1e400',
    '1e12',
    '1e13',
  ],
  ...[
    '9007199254740991',
    '9007199254740993',
    '99999999999999999999999999',
    '165930480002',
    '16593048000255',
    '1.0',
    '1e0',
    '10e-1',
    '-0.0',
    '0e5',
  ],
  ...[
    '"1659304800025"',
    '"0"',
    '"1"',
    '"-1"',
    '"+1"',
    '" 1"',
    '"1 "',
    '"1.0"',
    '"1e3"',
    '""',
    '"0001659304800025"',
    '"253402300799999"',
    '"253402300800000"',
  ],
  ...[
    '"99999999999999999999999999"',
    `"${'0'.repeat(300)}1659304800025"`,
    `"${'9'.repeat(400)}"`,
    '"\\u0031659304800025"',
    '"9007199254740993"',
  ],
  ...[
    '"2022-07-31 22:00:00"',
    '"2024-02-29 00:00:00"',
    '"2023-02-29 00:00:00"',
    '"2000-02-29 00:00:00"',
    '"1900-02-29 00:00:00"',
    '"1970-01-01 00:00:00"',
  ],
  ...[
    '"1970-01-01T00:00:00.001Z"',
    '"1970-01-01T00:00:00.000999Z"',
    '"1969-12-31T23:59:59.999Z"',
    '"9999-12-31 23:59:59"',
    '"9999-12-31T23:59:59.999999999Z"',
  ],
  ...[
    '"9999-12-31T23:59:59.999-00:01"',
    '"9999-12-31T23:59:59.999+00:01"',
    '"0000-01-01 00:00:00"',
    '"1970-01-01T00:00:00+01:00"',
    '"1970-01-01T00:00:00-00:01"',
  ],
  ...[
    '"2022-07-31T22:00:00Z"',
    '"2022-07-31T22:00:00.Z"',
    '"2022-07-31T22:00:00,5Z"',
    '"2022-07-31T22:00:00"',
    '"2022-07-31T22:00Z"',
    '"2022-07-31"',
    '"20220731T220000Z"',
  ],
  ...[
    '"2022-07-31T22:00:00+0200"',
    '"2022-07-31T22:00:00+02"',
    '"2022-07-31T22:00:00+23:59"',
    '"2022-07-31T22:00:00+24:00"',
    '"2022-07-31T22:00:00+23:60"',
  ],
  ...[
    '"2022-07-31 22:00:00Z"',
    '"2022-07-31 22:00:00.5"',
    '"2022-07-31t22:00:00z"',
    '"2022-07-31 24:00:00"',
    '"2022-07-31 23:59:60"',
    '"+012022-07-31T22:00:00Z"',
  ],
  ...[
    '"2022-7-31 22:00:00"',
    '" 2022-07-31 22:00:00"',
    '"2022-07-31 22:00:00 "',
    '"2022-07-31  22:00:00"',
    '"2022-13-01 00:00:00"',
    '"2022-00-10 00:00:00"',
  ],
  ...[
    '"2022-04-31 00:00:00"',
    '"2022-01-32 00:00:00"',
    '"2022-01-00 00:00:00"',
    '"-2022-01-01 00:00:00"',
    '"2022-07-31T22:00:00.1234567890Z"',
    '"2022\\u002d07-31 22:00:00"',
  ],
  ...['"2022-07-31T22:00:00.123456789+05:30"', '"2022-07-31T22:00:00-00:00"', '"2022-07-31T22:00:00.9Z"', '"now"', '"٢٠٢٢-07-31 22:00:00"'],
].map(utf8)

/** The first six are the valid ones. */
export const TYPES = [
  ...quoted(['impression', 'view', 'click', 'IMPRESSION', 'VIEW', 'CLICK']),
  ...quoted([
    'Impression',
    'View',
    'Click',
    'purchase',
    '',
    'impressio',
    'impressions',
    'vie',
    'views',
    'clic',
    'clicks',
    ' click',
    'click ',
    'cl\\u0069ck',
  ]),
  ...quoted(['VIEw', 'ClICK', 'IMPRESSIOn', 'clic\\u006b', '\\u0056IEW', 'clicK', 'viev', 'clicl']),
]

const LENGTHS = [
  ...[1, 2, 254, 255, 256, 257, 258, 300, 1000].map((count) => 'x'.repeat(count)),
  ...[127, 128, 129].map((count) => 'é'.repeat(count)),
  ...[127, 128].map((count) => `${'é'.repeat(count)}x`),
  ...[85, 86].flatMap((count) => ['€'.repeat(count), `${'€'.repeat(count)}x`, `${'€'.repeat(count)}xy`]),
  ...[63, 64, 65].map((count) => '😀'.repeat(count)),
  `${'x'.repeat(255)}\\u0041`,
  `${'x'.repeat(254)}\\u00e9`,
  `${'x'.repeat(255)}\\u00e9`,
  `${'x'.repeat(250)}\\ud83d\\ude00`,
]

export const STRINGS = [
  ...quoted(['', 'a', ' ', ...ESCAPES, ...BAD_ESCAPES, ...CHARACTERS]),
  ...NOT_UTF8,
  ...CONTROLS,
  ...quoted(LENGTHS.slice(0, 3)),
]
export const PRODUCTS = [
  ...STRINGS,
  ...quoted(LENGTHS),
  ...quoted(LENGTHS),
  ...['null', '12', '"abc', 'abc"', "'abc'", 'abc', '[]', '{"product_id":"x"}'].map(bytes),
]
export const USERS = [...STRINGS, ...['null', '0', 'false', '["u"]', '"u', "'u'"].map(bytes)]

/** By field: product, user, type, time, event id, session id. */
export const FIELD_KEYS = [
  quoted(['product_id', 'productId']),
  quoted(['user_id', 'userId']),
  quoted(['event_type', 'eventType']),
  quoted(['timestamp']),
  quoted(['event_id', 'eventId']),
  quoted(['session_id', 'sessionId']),
]

/** The same keys with escapes, which mean the same, and with a slip, which don't. */
export const ESCAPED_KEYS = [
  quoted(['product\\u005fid', '\\u0070roductId', 'product\\u005Fid', 'Product_id', 'product_i', 'product_idd', 'productid', 'product_id ']),
  quoted(['user\\u005fid', 'userI\\u0064', 'user_Id', 'useri', 'user_id\\u0000', 'uſer_id']),
  quoted(['event\\u005ftype', 'eventTyp\\u0065', 'event_Type', 'eventtype', 'event_typ']),
  quoted(['timestam\\u0070', '\\u0074imestamp', 'timeStamp', 'Timestamp', 'timestamps', 'time_stamp', 'timestam']),
  quoted(['event\\u005fid', 'eventid', 'event_i']),
  quoted(['session\\u005fid', 'sessionid', 'session_i']),
]

export const JUNK_KEYS = [
  ...quoted([
    '',
    'a',
    'x',
    'price',
    'meta',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '0',
    '-1',
    ' ',
    'é',
    '€',
    '😀',
    '\\n',
    '\\"',
    '\\u0000',
  ]),
  ...quoted([
    'k'.repeat(9),
    'k'.repeat(10),
    'k'.repeat(300),
    'product_id.x',
    'product',
    'user',
    'event',
    'time',
    'ti\\"mestamp',
    '\\ud800',
  ]),
  ...['a', "'a'", '1', 'null', '"a', '', '"a\nb"', '"\xff"', '"\xc3\x28"'].map(bytes),
]

/** White space: JSON's four, then what is white only elsewhere, and comments. */
export const SPACES = [
  ...[' ', '\t', '\n', '\r', '  ', '\r\n', ' \t\n\r ', ' '.repeat(40), '\n\t\t'].flatMap((text) => [
    utf8(text),
    utf8(text),
    utf8(text),
    utf8(text),
  ]),
  ...['\f', '\v', '\0', '\u00a0', '\u2028', '\ufeff', '\u3000', '\u0085', '\u200b', '/**/', '//\n', '#\n', '\x1e'].map(utf8),
]

/** What may stand behind an event. */
export const TAILS = [
  ' ',
  '\n',
  '\r\n',
  '\t',
  '\0',
  '{}',
  '}',
  ']',
  ',',
  'x',
  '"',
  ' {}',
  '\ufeff',
  'null',
  '//',
  '\x1a',
  '\n\n{"a":1}',
  ';',
].map(utf8)
