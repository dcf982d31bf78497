import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { version } from '../version.ts'
import { noneMatch } from './etag.ts'
import type { RawReply, RawRequest, Route } from './route.ts'
import { rawRoute } from './route.ts'

const script = `addEventListener('DOMContentLoaded', () => SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: 'none', tryItOutEnabled: true, displayRequestDuration: true }))`

const page =
  '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
  '<title>Millrace API</title><link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="data:,">' +
  `<div id="docs"></div><script src="/docs/swagger-ui-bundle.js"></script><script>${script}</script></html>`

/** Nothing from any other origin; the bundle sets styles on elements, which needs 'unsafe-inline' for styles alone. */
const policy =
  `default-src 'none'; script-src 'self' 'sha256-${createHash('sha256').update(script).digest('base64')}'; style-src 'self' 'unsafe-inline'; ` +
  "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const assets: { readonly [name: string]: string | undefined } = {
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'swagger-ui.css': 'text/css; charset=utf-8',
}

/** `/openapi.json` and the interactive page over it. The document is made, and a file of the page read, when somebody asks. */
export const docsRoutes = (document: () => object): readonly Route[] => {
  let text: string | null = null
  const file = sharedFiles()
  return [
    rawRoute({
      methods: ['GET'],
      path: '/openapi.json',
      summary: 'This description',
      replies: { 200: { description: 'OpenAPI 3.1.', content_type: 'application/json' } },
      handle: (_app, request, reply) => {
        text ??= JSON.stringify(document())
        sendCached(request, reply, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-cache' }, text)
      },
    }),
    rawRoute({
      methods: ['GET'],
      path: '/',
      summary: 'Leads to the documentation',
      replies: { 302: { description: 'To `/docs`.' } },
      handle: (_app, _request, reply) => reply.send(302, { location: '/docs', 'cache-control': 'no-store' }, null),
    }),
    rawRoute({
      methods: ['GET'],
      path: '/docs',
      summary: 'Interactive documentation',
      replies: { 200: { description: 'A page.', content_type: 'text/html' } },
      handle: (_app, request, reply) =>
        sendCached(
          request,
          reply,
          { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache', 'content-security-policy': policy },
          page,
        ),
    }),
    ...Object.entries(assets).map(([name, content_type = '']) =>
      rawRoute({
        methods: ['GET'],
        path: `/docs/${name}`,
        summary: 'A part of the interactive documentation',
        replies: { 200: { description: 'A file.', content_type } },
        handle: async (_app, request, reply) => {
          const headers = { 'content-type': content_type, 'cache-control': 'public, max-age=3600' }
          sendCached(request, reply, headers, await file(name))
        },
      }),
    ),
  ]
}

/**
 * Files of the page by name. They are asked for rarely and 1.7 MB would stay in memory; but those who ask at a time share one copy, so
 * that many of them cost no more than one.
 */
const sharedFiles = (): ((name: string) => Promise<Buffer>) => {
  const reading = new Map<string, Promise<Buffer>>()
  const kept = new Map<string, WeakRef<Buffer>>()
  const read = async (name: string): Promise<Buffer> => {
    try {
      const content = await readFile(new URL(import.meta.resolve(`@fastify/swagger-ui/static/${name}`)))
      kept.set(name, new WeakRef(content))
      return content
    } finally {
      reading.delete(name)
    }
  }
  return async (name) => {
    const before = kept.get(name)?.deref() ?? reading.get(name)
    if (before !== undefined) return before
    const made = read(name)
    reading.set(name, made)
    return made
  }
}

const sendCached = (request: RawRequest, reply: RawReply, headers: { readonly [name: string]: string }, body: string | Buffer): void => {
  const etag = `"${version}-${createHash('sha256').update(body).digest('base64url').slice(0, 16)}"`
  if (noneMatch(request.headers['if-none-match'] as string | undefined, etag)) reply.send(200, { ...headers, etag }, body)
  else reply.send(304, { 'cache-control': headers['cache-control'] ?? '', etag }, null)
}
