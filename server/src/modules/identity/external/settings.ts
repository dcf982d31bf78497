import type { SettingDeclarations } from '../../../platform/config.ts'

export const externalSettings = {
  supabase_jwt_secret: {
    env: 'SUPABASE_JWT_SECRET',
    type: 'text',
    default: null,
    secret: true,
    doc: 'Takes the access tokens of a Supabase project: the secret that it signs them with (HS256). Their users get accounts on first sight.',
  },
  supabase_url: {
    env: 'SUPABASE_URL',
    type: 'url',
    default: null,
    doc: 'Address of that project, as `https://abc.supabase.co`. Tokens then have to name it, and the users stay who they are when the project moves to signing keys and `MILLRACE_EXTERNAL_JWKS_URL`.',
  },
  external_jwks_url: {
    env: 'MILLRACE_EXTERNAL_JWKS_URL',
    type: 'url',
    default: null,
    doc: 'Takes the access tokens of another issuer: where it publishes the keys that it signs them with (RFC 7517). Needs MILLRACE_EXTERNAL_ISSUER and MILLRACE_EXTERNAL_AUDIENCE.',
  },
  external_issuer: {
    env: 'MILLRACE_EXTERNAL_ISSUER',
    type: 'text',
    default: null,
    doc: 'The `iss` of those tokens, character by character.',
  },
  external_audience: {
    env: 'MILLRACE_EXTERNAL_AUDIENCE',
    type: 'text',
    default: null,
    doc: 'The `aud` that those tokens have to name: this installation, and not another program of the same issuer.',
  },
} as const satisfies SettingDeclarations
