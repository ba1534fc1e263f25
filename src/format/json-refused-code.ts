/** Source text, as in json-shape-code.ts, of values that only shapes of invalid events have. */
import { NOT_SURE } from './json-skip.ts'
import { PRODUCT_MAX_BYTES } from './slot.ts'

/** A product of plain bytes, which is not hashed. */
export const PLAIN_CODE = `const plain = at
      at = plainTail(bytes, at, valueEnd)
      if (bytes[at] !== 0x22 || at === plain || at - plain > ${PRODUCT_MAX_BYTES}) break\n`

/** A text that is not UTF-8, without escapes and not too long for a product. */
export const ILL_FORMED_CODE = `if (skipString(bytes, at, valueEnd) !== ${NOT_SURE}) break
      const text = at
      at = (skipUnescaped(bytes, at, valueEnd) - 1) | 0
      if (at < 0 || at - text > ${PRODUCT_MAX_BYTES}) break\n`
