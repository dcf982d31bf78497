import { Type } from 'typebox'
import { originsOf } from '../hosts.ts'
import { type Addition, AllowedHosts, defineType, needed, SecretField, UrlField } from '../type.ts'
import { call } from '../verdict.ts'

const auth = ['bearer', 'basic', 'header', 'query'] as const

/** A credential under one of these names would pass a redirect to another host, or change what the request is. */
const taken =
  /^(accept|accept-.*|connection|content-.*|expect|host|idempotency-key|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|user-agent)$/i

interface Given {
  readonly token?: string | undefined
  readonly password?: string | undefined
  readonly value?: string | undefined
}

interface Way {
  readonly auth: (typeof auth)[number]
  readonly username?: string | undefined
  readonly header_name?: string | undefined
  readonly query_name?: string | undefined
}

const signed = (config: Way, { token = '', password = '', value = '' }: Given): Addition => {
  if (config.auth === 'bearer') return { headers: { authorization: `Bearer ${token}` } }
  if (config.auth === 'basic')
    return { headers: { authorization: `Basic ${Buffer.from(`${config.username}:${password}`).toString('base64')}` } }
  if (config.auth === 'header') return { headers: { [(config.header_name ?? '').toLowerCase()]: value } }
  return { query: { [config.query_name ?? '']: value } }
}

export const http = defineType({
  type: 'http',
  title: 'HTTP with a credential',
  doc: 'Any web service that takes a token, a user name and a password, or a key in a header or in the query.',
  config: Type.Object({
    auth: Type.Unsafe<(typeof auth)[number]>({ type: 'string', enum: [...auth], description: 'How a request carries the credential.' }),
    base_url: Type.Optional(UrlField('Where the service is. The credential is sent to its host.')),
    allowed_hosts: Type.Optional(AllowedHosts),
    username: Type.Optional(Type.String({ minLength: 1, maxLength: 300, pattern: '^[^:]+$', description: 'For `basic`.' })),
    header_name: Type.Optional(
      Type.String({ maxLength: 100, pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", description: 'For `header`: `X-Api-Key`.' }),
    ),
    query_name: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'For `query`: `api_key`.' })),
    test_url: Type.Optional(UrlField('What a test calls with GET, at one of the hosts; `base_url` when it is not given.')),
  }),
  credentials: Type.Object({
    token: Type.Optional(SecretField('For `bearer`.')),
    password: Type.Optional(SecretField('For `basic`.')),
    value: Type.Optional(SecretField('For `header` and `query`.')),
  }),
  problems: (config, credentials) => [
    ...(config.base_url === undefined && (config.allowed_hosts ?? []).length === 0
      ? [{ path: 'config.base_url', message: 'is required, or `allowed_hosts`: the credential has to belong to a host' }]
      : []),
    ...needed(credentials, { bearer: 'token', basic: 'password', header: 'value', query: 'value' }[config.auth]),
    ...(config.auth === 'basic' && config.username === undefined ? [{ path: 'config.username', message: 'is required' }] : []),
    ...(config.auth === 'query' && config.query_name === undefined ? [{ path: 'config.query_name', message: 'is required' }] : []),
    ...(config.auth === 'header' && config.header_name === undefined ? [{ path: 'config.header_name', message: 'is required' }] : []),
    ...(taken.test(config.header_name ?? '') ? [{ path: 'config.header_name', message: 'is not one that a credential can have' }] : []),
  ],
  hosts: originsOf,
  elsewhere: ({ test_url }) => (test_url === undefined ? [] : originsOf({ base_url: test_url })),
  sign: signed,
  test: async (io, config, credentials) => {
    const url = config.test_url ?? config.base_url
    if (url === undefined) return { status: 'unknown', error: 'There is nothing to call: give it a `test_url`.' }
    const { headers = {}, query = {} } = signed(config, credentials)
    const target = new URL(url)
    for (const [name, text] of Object.entries(query)) target.searchParams.append(name, text)
    return call(io, { url: target.href, headers })
  },
})
