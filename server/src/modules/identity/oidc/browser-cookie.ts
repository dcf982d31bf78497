import { createHash, randomBytes } from 'node:crypto'
import type { App } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import type { Cookie, RequestFacts } from '../../../platform/http/route.ts'

const form = /^[A-Za-z0-9_-]{43}$/
/** As long as a sign-in may take, and the code at its end. */
const max_age_s = 720

/**
 * The prefix keeps a sister subdomain from planting its own (RFC 6265bis, section 4.1.3.2), and with it a sign-in of its own; it asks
 * for `Secure` and the path `/`, so it is there where the address is https.
 */
const placeOf = (app: App): { readonly name: string; readonly path: string } =>
  app.use(httpService).url().startsWith('https:')
    ? { name: '__Host-millrace_oidc', path: '/' }
    : { name: 'millrace_oidc', path: '/api/v1/auth/oidc' }

/** What tells this browser from every other one during a sign-in, or null. */
export const readBrowser = (app: App, request: RequestFacts): string | null => {
  const value = request.cookies[placeOf(app).name]
  return value !== undefined && form.test(value) ? value : null
}

export const newBrowser = (): string => randomBytes(32).toString('base64url')

/** Lax, because the browser comes back from the provider, which is another site. */
export const browserCookie = (app: App, browser: string): Cookie => ({ ...placeOf(app), value: browser, max_age_s, same_site: 'lax' })

export const browserHash = (browser: string): string => createHash('sha256').update(browser).digest('base64url')
