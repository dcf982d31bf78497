import type { App } from '../../../platform/context.ts'
import type { Cookie, RequestFacts } from '../../../platform/http/route.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import { httpSettings } from '../../../platform/http/settings.ts'
import { errors } from '../errors.ts'

const name = 'millrace_refresh'
/** Sent to the routes that need it and to no other. */
const path = '/api/v1/auth'

export const setRefreshCookie = (value: string, max_age_s: number): Cookie => ({ name, value, path, max_age_s })

export const clearRefreshCookie: Cookie = { name, value: null, path }

/**
 * The refresh token in the cookie, or null. A cookie comes along whoever's page made the request, and `SameSite=Strict` alone lets
 * a sister subdomain through; so what the browser says of the page must be that it is ours: `Sec-Fetch-Site: same-origin`, or an
 * `Origin` that is ours or that `MILLRACE_CORS_ORIGINS` names. 403 `auth.cross_site` otherwise. Every browser sends one of the two
 * with a POST; who sends neither is a program that holds the cookie itself.
 */
export const readRefreshCookie = (app: App, request: RequestFacts): string | null => {
  const token = request.cookies[name]
  if (token === undefined || token === '') return null
  const { origin, 'sec-fetch-site': site } = request.headers
  const ours =
    typeof origin === 'string' &&
    (origin === new URL(app.use(httpService).url()).origin || app.settings(httpSettings).cors_origins.includes(origin))
  if (site !== 'same-origin' && !ours && (site !== undefined || origin !== undefined)) throw errors.cross_site()
  return token
}
