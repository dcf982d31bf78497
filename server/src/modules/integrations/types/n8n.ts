import { Type } from 'typebox'
import { originsOf } from '../hosts.ts'
import { AllowedHosts, below, defineType, SecretField, UrlField } from '../type.ts'
import { call } from '../verdict.ts'

/**
 * An n8n instance: its public API (`/api/v1`, header `X-N8N-API-KEY`) and the webhooks of its workflows, which may be at another address and
 * ask for a header of their own.
 */
export const n8n = defineType({
  type: 'n8n',
  title: 'n8n',
  doc: 'An n8n instance whose workflows are started through their webhooks. An API key (Settings, n8n API) finds a workflow by its id and says what came of it.',
  config: Type.Object({
    base_url: UrlField('Of the instance: `https://n8n.example.com`.'),
    webhook_url: Type.Optional(UrlField('Where its webhooks are reached, when that is elsewhere; without `/webhook`.')),
    webhook_header: Type.Optional(
      Type.String({ maxLength: 100, pattern: '^[A-Za-z0-9-]+$', description: 'Header that its webhooks ask for (Header Auth).' }),
    ),
    workflows: Type.Optional(
      Type.Record(Type.String({ maxLength: 100 }), Type.String({ minLength: 1, maxLength: 500 }), {
        maxProperties: 500,
        description: 'Webhook paths by workflow id, where there is no API key to ask: `{ "aBc123": "orders/new" }`.',
      }),
    ),
    allowed_hosts: Type.Optional(AllowedHosts),
  }),
  credentials: Type.Object({
    api_key: Type.Optional(SecretField('Of the public API.')),
    webhook_token: Type.Optional(SecretField('What `webhook_header` holds.')),
    signing_secret: Type.Optional(SecretField('What requests to webhooks are signed with (Standard Webhooks).')),
  }),
  problems: ({ webhook_header }, { webhook_token }) =>
    (webhook_header === undefined) === (webhook_token === undefined)
      ? []
      : [{ path: 'config.webhook_header', message: 'and `webhook_token` go together' }],
  hosts: originsOf,
  elsewhere: ({ webhook_url }) => originsOf({ base_url: webhook_url }),
  sign: (_, { api_key }) => ({ headers: api_key === undefined ? {} : { 'x-n8n-api-key': api_key } }),
  test: (io, { base_url }, { api_key }) =>
    api_key === undefined
      ? call(io, { url: below(base_url, '/healthz') })
      : call(io, { url: below(base_url, '/api/v1/workflows?limit=1'), headers: { 'x-n8n-api-key': api_key } }),
})
