import type { SettingValues } from '../../../platform/config.ts'
import { StartError } from '../../../platform/start-error.ts'
import { isSafeIssuer } from '../oidc/provider-config.ts'
import type { externalSettings } from './settings.ts'

/** Whose access tokens are taken besides our own. */
export interface Issuers {
  /** `issuer` null: a token may name any, and its users are told apart by the secret alone. */
  readonly supabase: { readonly secret: string; readonly issuer: string | null } | null
  readonly published: { readonly jwks_url: string; readonly issuer: string; readonly audience: string } | null
}

const leastSecret = 32

/** Reads the settings together. `StartError` for what does not fit. */
export const issuersOf = (values: SettingValues<typeof externalSettings>): Issuers => {
  const { supabase_jwt_secret: secret, supabase_url, external_jwks_url, external_issuer, external_audience } = values
  // RFC 7518, section 3.2: a key for HS256 has at least 256 bits.
  if (secret !== null && Buffer.byteLength(secret) < leastSecret)
    throw new StartError(
      `SUPABASE_JWT_SECRET has fewer than ${leastSecret} characters, so that who has one token could find it by trying.`,
      'Take the JWT secret from the settings of the Supabase project as it is.',
    )
  if (secret === null && supabase_url !== null)
    throw new StartError(
      'SUPABASE_URL is set without SUPABASE_JWT_SECRET.',
      'Set both. For a project with signing keys, set MILLRACE_EXTERNAL_JWKS_URL instead.',
    )
  const given = [external_jwks_url, external_issuer, external_audience]
  if (given.includes(null) && given.some((value) => value !== null))
    throw new StartError(
      'MILLRACE_EXTERNAL_JWKS_URL, MILLRACE_EXTERNAL_ISSUER and MILLRACE_EXTERNAL_AUDIENCE belong together, and not all of them are set.',
      'Without an issuer and an audience, tokens that were made for another program would be good here.',
    )
  if (external_jwks_url !== null && !isSafeIssuer(external_jwks_url.split('?', 1)[0] as string))
    throw new StartError(
      'MILLRACE_EXTERNAL_JWKS_URL does not begin with https://.',
      'Whoever is on the way could put in keys of their own.',
    )
  return {
    supabase: secret === null ? null : { secret, issuer: supabase_url === null ? null : `${supabase_url.replace(/\/+$/, '')}/auth/v1` },
    published:
      external_jwks_url === null
        ? null
        : { jwks_url: external_jwks_url, issuer: external_issuer as string, audience: external_audience as string },
  }
}
