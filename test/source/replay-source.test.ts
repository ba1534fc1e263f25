import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ReplaySourceOptions, replaySource } from '../../src/source/replay-source.ts'
import { CollectingHandler } from '../support/collecting-handler.ts'
import { ottoEvents, ottoPath } from '../support/otto.ts'

let directory = ''

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ctr-replay-'))
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

type Options = Omit<ReplaySourceOptions, 'numbers' | 'avro'>

const noAvro = () => expect.unreachable('there is no file of Avro')

/** The partitions are the files' places. */
const sourceOf = (options: Options) =>
  replaySource({ numbers: async () => options.files.map((_, place) => place), avro: noAvro, ...options })

async function replay(options: Options): Promise<CollectingHandler> {
  const handler = new CollectingHandler()
  const source = sourceOf(options)
  await source.start(handler)
  await handler.ended()
  await source.close()
  return handler
}

function values(handler: CollectingHandler, partition = 0): string[] {
  return (handler.records.get(`0/${partition}`) ?? []).map(({ value }) => value?.toString() ?? 'null')
}

describe('the lines of a file', () => {
  test('become the records of one partition, without key and timestamp, and its end is told once', async () => {
    const handler = await replay({ files: [ottoPath('sorted')] })
    expect(handler.failures).toEqual([])
    expect(values(handler)).toEqual(ottoEvents('sorted'))
    expect(handler.records.get('0/0')?.every(({ key, timestamp }) => key === null && timestamp === -1)).toBe(true)
    expect(handler.endOffsets.get('0/0')).toEqual([800])
    expect(handler.partitions).toEqual([{ topicIndex: 0, partition: 0, position: 0, maxEventTime: undefined, endOffset: undefined }])
  })

  test.each([
    ['ends with a newline', 'a\nb\n', ['a', 'b']],
    ['ends without a newline', 'a\nb', ['a', 'b']],
    ['has CRLF', 'a\r\nb\r\n', ['a', 'b']],
    ['has blank lines at the end', 'a\n\n\r\n\n', ['a']],
    ['has blank lines in the middle: events without a value', 'a\n\n\r\nb\n', ['a', '', '', 'b']],
    ['starts with a blank line', '\na', ['', 'a']],
    ['starts with a byte-order mark', '\ufeffa\n\ufeffb', ['a', '\ufeffb']],
    ['keeps spaces and other carriage returns', ' a \n\r\r\nb\rc', [' a ', '\r', 'b\rc']],
    ['is empty', '', []],
    ['holds blank lines only', '\n\n', []],
  ])('are read right when it %s', async (_, content, expected) => {
    const handler = await replay({ files: [file('lines.jsonl', content)] })
    expect(values(handler)).toEqual(expected)
    expect(handler.endOffsets.get('0/0')).toEqual([expected.length])
  })

  test('are read from gzip, several members too', async () => {
    const path = file('lines.jsonl.gz', Buffer.concat([gzipSync('a\nb'), gzipSync('c\nd\n')]))
    expect(values(await replay({ files: [path] }))).toEqual(['a', 'bc', 'd'])
  })

  test('may be megabytes long, between short ones, in batches much smaller', async () => {
    const lines = ['short', 'x'.repeat(5_000_000), 'y', 'z'.repeat(200_000), 'end']
    const handler = await replay({ files: [file('long.jsonl', lines.join('\n'))], batchBytes: 2048 })
    expect(values(handler).map((line) => [line.length, line[0]])).toEqual(lines.map((line) => [line.length, line[0]]))
  })

  test('come out whole wherever a chunk is cut, in the middle of a character or of CRLF too', async () => {
    const lines = ['{"a":"é€😀"}', '', 'second', 'dritte']
    const bytes = Buffer.from(`${lines.join('\r\n')}\r\n`)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const stdin = Readable.from([bytes.subarray(0, cut), bytes.subarray(cut)].filter((part) => part.length > 0))
      expect(values(await replay({ files: ['-'], stdin }))).toEqual(lines)
    }
    const bytewise = Readable.from(Array.from(bytes, (byte) => Buffer.from([byte])))
    expect(values(await replay({ files: ['-'], stdin: bytewise }))).toEqual(lines)
  })
})

describe('several files', () => {
  test('are one partition each', async () => {
    const files = [file('one', 'a\nb\n'), file('two', 'c'), file('three', '')]
    const handler = await replay({ files })
    expect([values(handler, 0), values(handler, 1), values(handler, 2)]).toEqual([['a', 'b'], ['c'], []])
    expect([...handler.endOffsets.values()]).toEqual([[2], [1], [0]])
  })

  test('have the numbers that are given, and of each is told what it holds', async () => {
    const content = '\ufeffa\nb\n\n'
    const files = [file('plain', content), file('packed.gz', gzipSync(content)), file('other', 'c')]
    const handler = new CollectingHandler()
    const read: unknown[] = []
    const source = replaySource({ files, avro: noAvro, numbers: async () => [7, 2 ** 30, 9], onRead: (...about) => read.push(about) })
    await source.start(handler)
    await handler.ended()
    await source.close()
    expect([values(handler, 7), values(handler, 2 ** 30), values(handler, 9)]).toEqual([['a', 'b'], ['a', 'b'], ['c']])
    const hash = (text: string) => createHash('sha256').update(text).digest('hex')
    expect(read).toEqual([
      [0, 8, hash(content)],
      [1, 8, hash(content)],
      [2, 1, hash('c')],
    ])
  })

  test('are each read in the order that is asked for', async () => {
    const files = [file('one', '3 a\n1 b\n\n3 c\n2 d\n'), file('two', '9\n8')]
    const keyOf = (bytes: Buffer, start: number, end: number) => Number.parseInt(bytes.toString('latin1', start, end), 10) || 0
    const handler = await replay({ files, sort: { keyOf } })
    expect([values(handler, 0), values(handler, 1)]).toEqual([
      ['', '1 b', '2 d', '3 a', '3 c'],
      ['8', '9'],
    ])
  })
})

describe('a replay', () => {
  test('waits while its partition is paused, and while a batch is not taken', async () => {
    const lines = Array.from({ length: 5000 }, (_, index) => `line ${index}`)
    const handler = new CollectingHandler()
    handler.onBatch = () => new Promise((resolve) => setTimeout(resolve, 1))
    const source = sourceOf({ files: [file('many', lines.join('\n'))], batchBytes: 4096 })
    source.pause(0, 0)
    await source.start(handler)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(handler.batches).toBe(0)
    source.resume(0, 0)
    await handler.ended()
    expect(values(handler)).toEqual(lines)
    await source.close()
  })

  test('stops at once although standard input stays open', async () => {
    const stdin = new PassThrough()
    stdin.write('a\nb\n')
    const handler = new CollectingHandler()
    const source = sourceOf({ files: ['-'], stdin })
    await source.start(handler)
    await source.stop()
    expect(handler.failures).toEqual([])
    expect(stdin.destroyed).toBe(true)
  })

  test.each([
    ['a file that is not there', () => [join(directory, 'missing.jsonl')], 'CTR_INPUT', /missing\.jsonl: no such file/],
    ['a directory', () => [directory], 'CTR_INPUT', /is a directory/],
    ['no file', () => [], 'CTR_USAGE', /no file to replay/],
    ['standard input twice', () => ['-', '-'], 'CTR_USAGE', /only once/],
  ])('of %s is refused at the start', async (_, files, code, message) => {
    const starting = sourceOf({ files: files() }).start(new CollectingHandler())
    await expect(starting).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  })

  test.each([
    ['is not gzip', () => file('plain.gz', 'a\nb\n'), /plain\.gz: not gzip data/],
    ['is cut off', () => file('cut.gz', gzipSync('a\nb\n'.repeat(1000)).subarray(0, 20)), /cut\.gz: the gzip data ends too soon/],
  ])('fails with the reason when a file %s', async (_, path, message) => {
    const handler = await replay({ files: [path()] })
    expect(handler.failures).toMatchObject([{ code: 'CTR_INPUT', message: expect.stringMatching(message) }])
  })

  test('fails when a line is longer than the limit, naming file and line', async () => {
    const path = file('endless', `a\n${'x'.repeat(1_000_000)}`)
    const handler = await replay({ files: [path], lineMaxBytes: 300_000 })
    expect(handler.failures).toMatchObject([
      { code: 'CTR_INPUT', message: expect.stringMatching(/endless: line 2 is longer than 300000 bytes/) },
    ])
  })
})
