/**
 * Files below `/ui`, out of memory: made when the first is asked for, and compressed once. They hold nothing of the engine, so that
 * everybody may have them; what they ask for, access.ts guards.
 */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** A file as it is sent. */
export interface StaticFile {
  readonly body: Buffer
  /** With its character set: `text/html; charset=utf-8`. */
  readonly type: string
}

interface Made extends StaticFile {
  readonly gzipped: Buffer
  readonly etag: string
}

const INDEX = 'index.html'

/** Serves files by their path below `/ui`; `/ui` itself gives the one called `index.html`. */
export function addStatic(app: FastifyInstance, files: () => ReadonlyMap<string, StaticFile>): void {
  let made: ReadonlyMap<string, Made> | undefined
  const send = async (path: string, request: FastifyRequest, reply: FastifyReply) => {
    made ??= new Map([...files()].map(([name, file]) => [name, makeReady(file)]))
    const file = made.get(path)
    if (file === undefined) return reply.code(404).send({ error: 'not found', see: ['/ui'] })
    reply.header('etag', file.etag).header('cache-control', 'no-cache').header('vary', 'accept-encoding')
    if (request.headers['if-none-match'] === file.etag) return reply.code(304).send()
    reply.type(file.type)
    if (!/\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) return reply.send(file.body)
    return reply.header('content-encoding', 'gzip').send(file.gzipped)
  }
  // Without the slash, what the page names beside itself would be looked for above it.
  app.get('/ui', (_, reply) => reply.redirect('/ui/', 308))
  app.get('/ui/*', (request, reply) => {
    const path = (request.params as { '*': string })['*']
    return send(path === '' ? INDEX : path, request, reply)
  })
}

function makeReady({ body, type }: StaticFile): Made {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`
  return { body, type, gzipped: gzipSync(body), etag }
}
