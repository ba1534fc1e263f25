/** The inputs of one `ctr replay`: their names, the numbers they are counted under, and what is said of them at the end. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { connect, explainClickHouse } from '../clickhouse/connect.ts'
import { openEndpoint } from '../clickhouse/endpoint.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { REPLAY_TOPIC } from '../source/replay-source.ts'
import { type CountedInput, InputBook, type InputContent, type InputRun } from '../tables/inputs.ts'
import { formatCount } from '../text.ts'

const NAME_MAX_BYTES = 255

/** A name for each file: those given, else their base names. Throws CTR_USAGE. */
export function inputNames(files: readonly string[], given: readonly string[]): string[] {
  if (given.length > 0 && given.length !== files.length) {
    const remedy = 'name each of them, in their order, or none'
    throw new CtrError('CTR_USAGE', `--input is given ${given.length} times for ${files.length} files; ${remedy}`)
  }
  const names = files.map((file, place) => {
    const name = given[place]
    if (name !== undefined) return name
    if (file === '-') throw new CtrError('CTR_USAGE', 'standard input has no name; give it one with --input NAME')
    return basename(file)
  })
  for (const [place, name] of names.entries()) {
    if (name === '' || Buffer.byteLength(name) > NAME_MAX_BYTES || /\p{Cc}/u.test(name)) {
      const rule = `it must have 1 to ${NAME_MAX_BYTES} bytes and no control characters`
      throw new CtrError('CTR_USAGE', `--input: ${JSON.stringify(name)} can't be the name of an input; ${rule}`)
    }
    if (names.indexOf(name) === place) continue
    const two = `${files[names.indexOf(name)]} and ${files[place]}`
    throw new CtrError('CTR_USAGE', `${two} would both be the input ${name}, and one replace the other; name them with --input NAME`)
  }
  return names
}

/** Which of these inputs holds what another one holds that counts beside it; undefined when none does. Empty ones add nothing. */
export function sameContent(
  inputs: readonly (InputContent & { readonly name: string })[],
  counted: readonly CountedInput[],
): string | undefined {
  const beside = counted.filter(({ name }) => !inputs.some((input) => input.name === name))
  for (const [place, { name, bytes, hash }] of inputs.entries()) {
    if (bytes === 0) continue
    const other = [...beside, ...inputs.slice(0, place)].find((one) => one.bytes === bytes && one.hash === hash)
    if (other === undefined) continue
    const when = 'at' in other ? `, counted ${other.at}` : ''
    return `${name} holds the same ${formatCount(bytes)} bytes as the input ${other.name}${when}: they would count twice`
  }
  return undefined
}

const DOUBLE_REMEDY = 'name it like the other to replace that, or add it all the same with --add'

/** From `begin`, before the first record, to `end`, which lets the inputs count; `close` always. */
export class ReplayInputs {
  readonly #config: Config
  readonly #files: readonly string[]
  readonly #names: readonly string[]
  readonly #add: boolean
  readonly #log: Logger
  readonly #contents: InputContent[] = []
  #runs: readonly InputRun[] = []
  #opened: { readonly book: InputBook; readonly close: () => Promise<void>; readonly explain: (error: unknown) => CtrError } | undefined

  constructor(config: Config, files: readonly string[], names: readonly string[], add: boolean, log: Logger) {
    this.#config = config
    this.#files = files
    this.#names = names
    this.#add = add
    this.#log = log
  }

  /** A number for each file. Throws CTR_USAGE when what is counted already would be counted twice, as far as that can be told yet. */
  async begin(): Promise<number[]> {
    return this.#ask(async (book) => {
      if (!this.#add) await this.#refuseKnown(await book.counted())
      const unnamed = await book.unnamed(REPLAY_TOPIC)
      if (unnamed > 0) this.#log.warn({ files: unnamed }, `${unnamed} files were replayed by a version without names; ${UNNAMED_REMEDY}`)
      this.#runs = await book.claim(this.#names)
      return this.#runs.map(({ number }) => number)
    })
  }

  /** A file has been read to its end. */
  read(place: number, bytes: number, hash: string): void {
    this.#contents[place] = { bytes, hash }
  }

  /** The name of the input with this number. */
  nameOf(number: number): string {
    return this.#runs.find((run) => run.number === number)?.name ?? String(number)
  }

  /** Lets the inputs count, instead of those of the same names; gives a line about each. Throws CTR_USAGE as `begin`. */
  async end(): Promise<string[]> {
    return this.#ask(async (book) => {
      const inputs = this.#runs.map((run, place) => ({ ...run, ...(this.#contents[place] ?? { bytes: 0, hash: '' }) }))
      const before = await book.counted()
      const double = this.#add ? undefined : sameContent(inputs, before)
      if (double !== undefined) throw new CtrError('CTR_USAGE', `${double}; nothing of this run counts. ${DOUBLE_REMEDY}`)
      await book.end(inputs)
      return inputs.map((input) => `${input.name}: number ${input.number}, ${formatCount(input.bytes)} bytes${replaced(input, before)}`)
    })
  }

  async close(): Promise<void> {
    await this.#opened?.close()
  }

  /** A plain file that is as long as an input that counts is compared before it is counted again, which may take long. */
  async #refuseKnown(counted: readonly CountedInput[]): Promise<void> {
    for (const [place, file] of this.#files.entries()) {
      if (file === '-' || /\.(?:gz|zstd?)$/.test(file)) continue
      const { size } = await stat(file)
      if (!counted.some(({ bytes }) => bytes === size)) continue
      const hash = createHash('sha256')
      for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
      const beside = counted.filter(({ name }) => !this.#names.includes(name))
      const double = sameContent([{ name: this.#names[place] ?? '', bytes: size, hash: hash.digest('hex') }], beside)
      if (double !== undefined) throw new CtrError('CTR_USAGE', `${double}; ${DOUBLE_REMEDY}`)
    }
  }

  async #ask<T>(work: (book: InputBook) => Promise<T>): Promise<T> {
    this.#opened ??= await this.#open()
    try {
      return await work(this.#opened.book)
    } catch (error) {
      const problem = this.#opened.explain(error)
      // Between the beginning and the end of a long replay a server may have gone; what was asked may be asked again of another.
      if (!this.#several || problem.code !== 'CTR_CLICKHOUSE_UNREACHABLE') throw problem
      await this.#opened.close()
      this.#opened = await this.#open(this.#opened.book)
      return await work(this.#opened.book).catch((again: unknown) => Promise.reject(this.#opened?.explain(again) ?? again))
    }
  }

  get #several(): boolean {
    return (this.#config.clickhouse.url?.length ?? 0) > 1
  }

  async #open(known?: InputBook) {
    const { clickhouse, tenant } = this.#config
    const { endpoint, front } = await openEndpoint(clickhouse, this.#log)
    const client = connect(endpoint, endpoint.database)
    const close = async () => {
      await client.close()
      front?.close()
    }
    const book = known ?? new InputBook(client, tenant, clickhouse.cluster)
    book.move(client)
    return { book, close, explain: (error: unknown) => explainClickHouse(error, endpoint) }
  }
}

const UNNAMED_REMEDY = 'their rows add to those of all inputs. See "Inputs of replay" in docs/results.md'

function replaced({ name, number, bytes, hash }: InputRun & InputContent, before: readonly CountedInput[]): string {
  const former = before.find((one) => one.name === name)
  if (former === undefined) return ''
  if (former.number > number) return `; does not count: number ${former.number} of the same name began later and has ended before`
  const size = former.bytes === bytes && former.hash === hash ? 'the same content' : `${formatCount(former.bytes)} bytes`
  return `; replaces number ${former.number} (${size}, counted ${former.at})`
}
