/**
 * An output that lets leave of each record what `privacy.payload` does: its structure with values masked, or where it is and no more. Key
 * and headers never do. A masked letter says that its bytes are not all there, so that whoever puts records back leaves it.
 */
import { type Privacy, wholeOf } from '../privacy/privacy.ts'
import type { Output, OutputRecord, Outputs } from './output.ts'

/** The same outputs, of which all are masked. */
export function maskedOutputs(outputs: Outputs, privacy: Privacy): Outputs {
  const { deadLetters, late } = outputs
  return { deadLetters: new MaskedOutput(deadLetters, privacy), ...(late && { late: new MaskedOutput(late, privacy) }) }
}

class MaskedOutput implements Output {
  readonly #output: Output
  readonly #privacy: Privacy

  constructor(output: Output, privacy: Privacy) {
    this.#output = output
    this.#privacy = privacy
  }

  get full(): boolean {
    return this.#output.full
  }

  get trouble(): string | undefined {
    return this.#output.trouble
  }

  put(record: OutputRecord): void {
    const { topic, bytes, reason, message, element, truncated, eventTime, asJson } = record
    const { payload } = this.#privacy
    const masked = this.#privacy.value(bytes, topic, wholeOf(reason, element), { asJson })
    // Where it was cut off it does not end.
    const faultAt = truncated && masked?.faultAt === bytes.length ? undefined : masked?.faultAt
    this.#output.put({
      ...record,
      envelope: undefined,
      asJson: undefined,
      message: this.#privacy.message(reason, message),
      bytes: Buffer.from(masked?.text ?? ''),
      truncated: true,
      eventTime: payload === 'none' ? undefined : eventTime,
      payload,
      faultAt,
    })
  }

  room(): Promise<void> {
    return this.#output.room()
  }

  delivered(): Promise<void> {
    return this.#output.delivered()
  }

  close(): Promise<void> {
    return this.#output.close()
  }
}
