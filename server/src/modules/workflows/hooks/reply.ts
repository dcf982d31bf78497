import type { HttpReply } from '../../../engine/node.ts'

export interface SentReply {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly body: string | null
}

/**
 * Headers that a workflow cannot set. Those of the connection and of the body's length are the server's. The rest have power over
 * the whole origin, which the API and the console share with every workspace's webhooks.
 */
const refused = new Set([
  'clear-site-data',
  'connection',
  'content-encoding',
  'content-length',
  'content-security-policy',
  'date',
  'keep-alive',
  'proxy-authenticate',
  'service-worker-allowed',
  'set-cookie',
  'strict-transport-security',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-content-type-options',
  'x-millrace-execution-id',
  'x-request-id',
])

/** A page made by a workflow is shown without the rights of the origin it comes from: its scripts reach neither cookies nor the API. */
const sandbox = 'sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts'

const token = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
const value = /^[\t\x20-\x7e\x80-\xff]*$/

/** `http.respond` as it goes out: JSON, unless the body is text and a content type is given. */
export const sentReply = (reply: HttpReply): SentReply => {
  const headers: Record<string, string> = {}
  for (const [given, text] of Object.entries(reply.headers)) {
    const name = given.toLowerCase()
    if (!refused.has(name) && token.test(name) && value.test(text)) headers[name] = text
  }
  if (reply.status === 204 || reply.status === 304) return { status: reply.status, headers, body: null }
  const type = headers['content-type']
  if (type !== undefined && /html|xml|svg/i.test(type)) headers['content-security-policy'] = sandbox
  if (type !== undefined && typeof reply.body === 'string') return { status: reply.status, headers, body: reply.body }
  headers['content-type'] ??= 'application/json; charset=utf-8'
  return { status: reply.status, headers, body: JSON.stringify(reply.body) }
}
