import { Type } from 'typebox'
import { originsOf } from '../hosts.ts'
import { AllowedHosts, defineType, needed, SecretField, UrlField } from '../type.ts'
import { call, fine } from '../verdict.ts'
import { bearer } from './api-key.ts'

const grants = ['authorization_code', 'client_credentials'] as const
const ways = ['post', 'basic'] as const
const Parameters = Type.Record(Type.String({ maxLength: 100 }), Type.String({ maxLength: 1_000 }), { maxProperties: 20 })

export const OAuthConfig = Type.Object({
  grant: Type.Unsafe<(typeof grants)[number]>({
    type: 'string',
    enum: [...grants],
    description:
      '`authorization_code`: somebody signs in at the service and gives their consent. `client_credentials`: the client stands for itself.',
  }),
  authorization_url: Type.Optional(UrlField('Where the browser goes to; for `authorization_code`.')),
  token_url: UrlField('Where tokens are given out. Nothing but its own credentials goes there.'),
  issuer: Type.Optional(
    Type.String({ maxLength: 2_000, description: 'What the service calls itself (RFC 9207); compared where it is given.' }),
  ),
  client_id: Type.String({ minLength: 1, maxLength: 1_000 }),
  client_auth: Type.Unsafe<(typeof ways)[number]>({
    type: 'string',
    enum: [...ways],
    default: 'post',
    description: 'How the client proves who it is: in the body, or by Basic.',
  }),
  scopes: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 300, pattern: '^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$' }), { maxItems: 100 }),
  ),
  authorization_params: Type.Optional(Parameters),
  token_params: Type.Optional(Parameters),
  base_url: Type.Optional(UrlField('Of the API that the tokens are for.')),
  allowed_hosts: Type.Optional(AllowedHosts),
  test_url: Type.Optional(UrlField('What a test calls with the token, at one of the hosts; without it a test ends with the token.')),
})

export const oauth2 = defineType({
  type: 'oauth2',
  title: 'OAuth 2.0',
  doc: 'A service that gives out tokens: with PKCE, and renewed before they end. Register `/api/v1/integrations/oauth/callback` of this installation as its redirect URI.',
  config: OAuthConfig,
  credentials: Type.Object({ client_secret: Type.Optional(SecretField('Of the client, when it has one.')) }),
  problems: (config, credentials) => [
    ...(config.grant === 'authorization_code' && config.authorization_url === undefined
      ? [{ path: 'config.authorization_url', message: 'is required' }]
      : []),
    ...(config.grant === 'client_credentials' ? needed(credentials, 'client_secret') : []),
  ],
  hosts: originsOf,
  elsewhere: ({ token_url, test_url }) => [`tokens of ${token_url}`, ...originsOf({ base_url: test_url })],
  needs_consent: ({ grant }) => grant === 'authorization_code',
  uses_tokens: true,
  sign: (_, credentials) => ({ headers: bearer((credentials as { readonly access_token?: string }).access_token ?? '') }),
  test: async (io, { test_url }, credentials) =>
    test_url === undefined
      ? fine
      : call(io, { url: test_url, headers: bearer((credentials as { readonly access_token?: string }).access_token ?? '') }),
})
