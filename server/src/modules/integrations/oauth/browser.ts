import { createHash, randomBytes } from 'node:crypto'
import type { App } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import type { Cookie, RequestFacts } from '../../../platform/http/route.ts'

const form = /^[A-Za-z0-9_-]{43}$/

export const callback_path = '/integrations/oauth/callback'

/** With https the prefix keeps a sister subdomain from planting its own (RFC 6265bis, section 4.1.3.2). */
const placeOf = (app: App): { readonly name: string; readonly path: string } =>
  app.use(httpService).url().startsWith('https:')
    ? { name: '__Host-millrace_consent', path: '/' }
    : { name: 'millrace_consent', path: `/api/v1${callback_path}` }

/** What tells this browser from every other one on its way, or null. */
export const readBrowser = (app: App, request: RequestFacts): string | null => {
  const value = request.cookies[placeOf(app).name]
  return value !== undefined && form.test(value) ? value : null
}

export const newBrowser = (): string => randomBytes(32).toString('base64url')

/** Lax, because the browser comes back from another site. */
export const browserCookie = (app: App, browser: string, max_age_s: number): Cookie => ({
  ...placeOf(app),
  value: browser,
  max_age_s,
  same_site: 'lax',
})

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url')
