import { createHmac } from 'node:crypto'
import type { WebhookAuth } from '../../../engine/nodes/trigger-webhook.ts'
import { sameSecret as same } from '../../../lib/same-secret.ts'
import { provenDelivery } from '../../../lib/standard-webhooks.ts'
import type { RawRequest } from '../../../platform/http/route.ts'

/** What a signature is checked on: the body as it came. */
export type Signed = Pick<RawRequest, 'headers' | 'body'>

const default_tolerance_s = 300

/** Signatures of one call that are looked at; senders that change their secret send two or three. */
const most_signatures = 20

const headerOf = (request: Signed, name: string): string | null => {
  const value = request.headers[name.toLowerCase()]
  return typeof value === 'string' ? value : null
}

const without = (text: string, prefix: string): string | null => (text.startsWith(prefix) ? text.slice(prefix.length) : null)

/** True when `text` is a whole number of seconds no further than `tolerance_s` from now, before or after. */
const isCurrent = (text: string, tolerance_s: number, now: number): boolean =>
  /^[0-9]{1,12}$/.test(text) && Math.abs(now / 1000 - Number(text)) <= tolerance_s

const basic = (auth: WebhookAuth, request: Signed, secret: string): boolean => {
  const given = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(headerOf(request, 'authorization') ?? '')?.[1]
  return given !== undefined && same(Buffer.from(given, 'base64'), `${auth.username ?? ''}:${secret}`)
}

const header = (auth: WebhookAuth, request: Signed, secret: string): boolean => {
  const given = headerOf(request, auth.header ?? '')
  return given !== null && same(given, (auth.prefix ?? '') + secret)
}

const hmac = (auth: WebhookAuth, request: Signed, secret: string): boolean => {
  const given = without(headerOf(request, auth.header ?? '') ?? '', auth.prefix ?? '')
  if (given === null) return false
  const { algorithm = 'sha256', encoding = 'hex' } = auth
  const expected = createHmac(algorithm, secret).update(request.body).digest(encoding)
  return same(encoding === 'hex' ? given.toLowerCase() : given, expected)
}

/** `X-Hub-Signature-256: sha256=<hex>`: docs.github.com, "Validating webhook deliveries". */
const github = (request: Signed, secret: string): boolean =>
  hmac({ type: 'hmac', header: 'x-hub-signature-256', prefix: 'sha256=' }, request, secret)

/** `Stripe-Signature: t=<seconds>,v1=<hex>,v1=<hex>` over `<t>.<body>`: docs.stripe.com/webhooks, "Verify manually". */
const stripe = (auth: WebhookAuth, request: Signed, secret: string, now: number): boolean => {
  const parts = (headerOf(request, 'stripe-signature') ?? '').split(',').map((part) => part.trim())
  const times = parts.flatMap((part) => without(part, 't=') ?? [])
  const [time] = times
  if (time === undefined || times.length > 1 || !isCurrent(time, auth.tolerance_s ?? default_tolerance_s, now)) return false
  const expected = createHmac('sha256', secret).update(`${time}.`).update(request.body).digest('hex')
  const given = parts.flatMap((part) => without(part, 'v1=') ?? []).slice(0, most_signatures)
  return given.map((signature) => same(signature, expected)).includes(true)
}

/** Whether a call proves that its sender knows `secret`, as `auth` asks for. `now`: Unix milliseconds. */
export const isProven = (auth: WebhookAuth, request: Signed, secret: string, now: number): boolean => {
  switch (auth.type) {
    case 'none':
      return true
    case 'basic':
      return basic(auth, request, secret)
    case 'header':
      return header(auth, request, secret)
    case 'hmac':
      return hmac(auth, request, secret)
    case 'github':
      return github(request, secret)
    case 'stripe':
      return stripe(auth, request, secret, now)
    case 'standard_webhooks':
      return provenDelivery(request, secret, { now, tolerance_s: auth.tolerance_s }) !== null
  }
}

/** The header that is itself the secret, which no journal is to hold; null where there is none. `Authorization` is never kept. */
export const secretHeader = (auth: WebhookAuth | null): string | null =>
  auth?.type === 'header' && auth.header !== undefined ? auth.header.toLowerCase() : null

/** What `auth` lacks to be checked at all, by field. */
export const authMistakes = (auth: WebhookAuth): readonly { readonly field: string; readonly message: string }[] => {
  const needs = (field: 'secret_id' | 'username' | 'header', what: string): readonly { field: string; message: string }[] =>
    auth[field] === undefined ? [{ field, message: `"${auth.type}" needs ${what}` }] : []
  if (auth.type === 'none')
    return auth.secret_id === undefined ? [] : [{ field: 'type', message: 'With a secret it must say how calls prove that they know it' }]
  return [
    ...needs('secret_id', 'a secret of the workspace (POST /workflows/secrets)'),
    ...(auth.type === 'basic' ? needs('username', 'a user name') : []),
    ...(auth.type === 'header' || auth.type === 'hmac' ? needs('header', 'the name of a header') : []),
  ]
}
