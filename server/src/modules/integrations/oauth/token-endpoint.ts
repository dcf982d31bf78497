import type { Static } from 'typebox'
import { parseJsonText } from '../../../lib/json-text.ts'
import { isJsonObject, type JsonObject } from '../../../lib/json.ts'
import type { App } from '../../../platform/context.ts'
import { outbound, type OutboundResponse } from '../../../platform/outbound/outbound.ts'
import { errors } from '../errors.ts'
import type { Opened } from '../opened.ts'
import type { OAuthConfig } from '../types/oauth2.ts'
import { timeoutOf } from '../verdict.ts'

export type Config = Static<typeof OAuthConfig>

/** What a service has given out. */
export interface Tokens {
  readonly access_token: string
  readonly refresh_token: string | null
  /** Unix milliseconds; null when the service does not say. */
  readonly expires_at: number | null
}

const form = /^[\x20-\x7e]{1,16384}$/

/**
 * Asks a token endpoint (RFC 6749). `kept`: the refresh token that stays when the service gives no new one (section 6). Errors: 422
 * `integrations.consent_needed` for `invalid_grant`, 422 `integrations.client_refused`, 502 `integrations.no_token`, and those of the client.
 */
export const askForTokens = async (
  app: App,
  { row, credentials }: Opened,
  grant: { readonly [name: string]: string },
  kept: string | null,
): Promise<Tokens> => {
  const config = row.config as Config
  const { client_secret } = credentials
  const basic = config.client_auth === 'basic' && client_secret !== undefined
  const fields = {
    ...config.token_params,
    ...grant,
    ...(basic ? {} : { client_id: config.client_id, ...(client_secret === undefined ? {} : { client_secret }) }),
  }
  const asked_at = app.now()
  const answer = await app.use(outbound).request({
    method: 'POST',
    url: config.token_url,
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(basic ? { authorization: basicOf(config.client_id, client_secret) } : {}),
    },
    body: new URLSearchParams(fields).toString(),
    ...{ timeout_ms: timeoutOf(app), max_bytes: 1_048_576, max_redirects: 0 },
  })
  return tokensIn(answer, asked_at, kept)
}

/** Both are encoded as in a form first (RFC 6749, section 2.3.1). */
const basicOf = (id: string, secret: string): string => {
  const encoded = [id, secret].map((text) => new URLSearchParams({ v: text }).toString().slice(2)).join(':')
  return `Basic ${Buffer.from(encoded).toString('base64')}`
}

const read = (answer: OutboundResponse): JsonObject => {
  try {
    const value = parseJsonText(answer.body.toString(), 16)
    return isJsonObject(value) ? value : {}
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

const tokensIn = (answer: OutboundResponse, asked_at: number, kept: string | null): Tokens => {
  const said = read(answer)
  const error = typeof said['error'] === 'string' && /^[a-z_]{1,50}$/.test(said['error']) ? said['error'] : null
  if (error === 'invalid_grant')
    throw errors.consent_needed({ detail: 'The service does not accept the consent any more (invalid_grant).' })
  if (error !== null || answer.status === 400 || answer.status === 401 || answer.status === 403)
    throw errors.client_refused({ detail: `The service answered ${answer.status}${error === null ? '' : `: ${error}`}.` })
  const { access_token, refresh_token, token_type, expires_in } = said
  if (answer.status !== 200 || typeof access_token !== 'string' || !form.test(access_token))
    throw errors.no_token({ detail: `The service answered ${answer.status} without a token.` })
  if (typeof token_type !== 'string' || token_type.toLowerCase() !== 'bearer')
    throw errors.no_token({ detail: 'The token is not a bearer token.' })
  const seconds = typeof expires_in === 'string' ? Number(expires_in) : expires_in
  const life = typeof seconds === 'number' && seconds > 0 && seconds < 1e9 ? seconds * 1000 : null
  return {
    access_token,
    refresh_token: typeof refresh_token === 'string' && form.test(refresh_token) ? refresh_token : kept,
    expires_at: life === null ? null : asked_at + life,
  }
}
