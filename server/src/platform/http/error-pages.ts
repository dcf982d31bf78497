import { createHash } from 'node:crypto'
import { escapeHtml } from '../../lib/html.ts'
import type { ErrorDeclaration, Errors } from '../errors.ts'
import { httpErrors } from './errors.ts'
import type { RawReply, RawRequest, Route } from './route.ts'
import { rawRoute } from './route.ts'

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}code{background:#8882;padding:.1em .3em;border-radius:3px}td,th{text-align:left;padding:.2rem 1rem .2rem 0}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8cf}}'
const headers = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'public, max-age=3600',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
}

/** The pages that problem types lead to: one per declared error, and the list of all. JSON for a client that asks for it. */
export const errorPages = (errors: readonly Errors[]): readonly Route[] => {
  const all = new Map(errors.flatMap((declared) => Object.values(declared)).map(({ code, declaration }) => [code, declaration] as const))
  const codes = [...all.keys()].toSorted()
  return [
    rawRoute({
      methods: ['GET'],
      path: '/docs/errors',
      summary: 'All errors by code',
      replies: { 200: { description: 'A page, or JSON.', content_type: 'text/html' } },
      handle: (_app, request, reply) => {
        if (wantsJson(request)) return sendJson(reply, { items: codes.map((code) => described(code, all.get(code) as ErrorDeclaration)) })
        const rows = codes.map(
          (code) =>
            `<tr><td>${all.get(code)?.status}</td><td><a href="/docs/errors/${escapeHtml(code)}"><code>${escapeHtml(code)}</code></a></td><td>${escapeHtml(all.get(code)?.title ?? '')}</td></tr>`,
        )
        reply.send(200, headers, page('Errors', `<table>${rows.join('')}</table>`))
      },
    }),
    rawRoute({
      methods: ['GET'],
      path: '/docs/errors/{code}',
      summary: 'What an error code means',
      replies: { 200: { description: 'A page, or JSON.', content_type: 'text/html' } },
      errors: [httpErrors.not_found],
      handle: (_app, request, reply) => {
        const code = request.params['code'] ?? ''
        const declaration = all.get(code)
        if (declaration === undefined) throw httpErrors.not_found({ detail: 'No error has this code.' })
        if (wantsJson(request)) return sendJson(reply, described(code, declaration))
        const doc = declaration.doc === undefined ? '' : `<p>${prose(declaration.doc)}</p>`
        reply.send(
          200,
          headers,
          page(
            declaration.title,
            `<p><code>${escapeHtml(code)}</code>, HTTP status ${declaration.status}</p>${doc}<p><a href="/docs/errors">All errors</a></p>`,
          ),
        )
      },
    }),
  ]
}

const described = (code: string, { status, title, doc }: ErrorDeclaration): object => ({
  code,
  status,
  title,
  ...(doc === undefined ? {} : { doc }),
})

const wantsJson = (request: RawRequest): boolean => {
  const accept = String(request.headers['accept'] ?? '')
  return accept.includes('json') && !accept.includes('text/html')
}

const sendJson = (reply: RawReply, value: object): void =>
  reply.send(200, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'public, max-age=3600' }, JSON.stringify(value))

const prose = (text: string): string => escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')

const page = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)} · Millrace</title><style>${style}</style><h1>${escapeHtml(title)}</h1>${body}</html>`
