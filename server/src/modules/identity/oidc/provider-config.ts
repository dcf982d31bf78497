import { Type, type Static } from 'typebox'
import { Problem } from '../../../platform/errors.ts'
import type { JsonSchema } from '../../../platform/http/strict.ts'
import { validatorOf } from '../../../platform/http/validate.ts'
import { StartError } from '../../../platform/start-error.ts'

const Entry = Type.Object({
  name: Type.String({ pattern: '^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$' }),
  type: Type.Optional(Type.Enum(['oidc', 'google', 'microsoft', 'github'])),
  issuer: Type.Optional(Type.String({ minLength: 1, maxLength: 1_000 })),
  tenant: Type.Optional(Type.String({ pattern: '^[a-zA-Z0-9.-]{1,100}$' })),
  client_id: Type.String({ minLength: 1, maxLength: 500 }),
  client_secret: Type.Optional(Type.String({ minLength: 1, maxLength: 2_000 })),
  label: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
  scopes: Type.Optional(Type.Array(Type.String({ pattern: '^[\\x21\\x23-\\x5b\\x5d-\\x7e]{1,200}$' }), { minItems: 1, maxItems: 30 })),
})
type Entry = Static<typeof Entry>
const checkEntry = validatorOf(Entry as unknown as JsonSchema)

export interface ProviderConfig {
  readonly name: string
  readonly label: string
  /** What is spoken: OpenID Connect, or what GitHub has instead. */
  readonly protocol: 'oidc' | 'github'
  readonly issuer: string
  readonly client_id: string
  readonly client_secret: string | null
  readonly scopes: readonly string[]
}

const known: { readonly [type in 'google' | 'microsoft' | 'github']: { readonly label: string; readonly issuer: string } } = {
  google: { label: 'Google', issuer: 'https://accounts.google.com' },
  microsoft: { label: 'Microsoft', issuer: 'https://login.microsoftonline.com' },
  github: { label: 'GitHub', issuer: 'https://github.com' },
}

/** Reads `MILLRACE_OIDC_PROVIDERS`. `StartError` that lists every mistake; it repeats no secret. */
export const parseProviders = (text: string | null): readonly ProviderConfig[] => {
  if (text === null) return []
  const mistakes: string[] = []
  const list = parseList(text, mistakes)
  const configs = list.flatMap((item, index) => parseEntry(item, index, mistakes))
  for (const { name } of configs) {
    const message = `The name '${name}' is given twice.`
    if (configs.filter((other) => other.name === name).length > 1 && !mistakes.includes(message)) mistakes.push(message)
  }
  if (mistakes.length === 0) return configs
  throw new StartError(
    `MILLRACE_OIDC_PROVIDERS is not right:${mistakes.map((mistake) => `\n  - ${mistake}`).join('')}`,
    'docs/how-to/sign-in-with-other-accounts.md shows what belongs there.',
  )
}

const parseList = (text: string, mistakes: string[]): readonly unknown[] => {
  try {
    const list: unknown = JSON.parse(text)
    if (Array.isArray(list)) return list
    mistakes.push('It must be a JSON list: `[{ … }]`.')
  } catch {
    // What the parser says quotes the text, and with it a secret.
    mistakes.push('It is not valid JSON.')
  }
  return []
}

const parseEntry = (given: unknown, index: number, mistakes: string[]): readonly ProviderConfig[] => {
  const where = `Entry ${index + 1}`
  const item = checked(given, where, mistakes)
  if (item === null) return []
  const type = item.type ?? (item.name in known ? (item.name as keyof typeof known) : 'oidc')
  const problems = [...nameProblems(item), ...issuerProblems(item, type), ...secretProblems(item, type)]
  mistakes.push(...problems.map((problem) => `${where} (${item.name}) ${problem}.`))
  if (problems.length > 0) return []
  const github = type === 'github'
  return [
    {
      name: item.name,
      label: item.label ?? (type === 'oidc' ? item.name : known[type].label),
      protocol: github ? 'github' : 'oidc',
      issuer: issuerOf(item, type),
      client_id: item.client_id,
      client_secret: item.client_secret ?? null,
      scopes: item.scopes ?? (github ? ['read:user', 'user:email'] : ['openid', 'email', 'profile']),
    },
  ]
}

const checked = (given: unknown, where: string, mistakes: string[]): Entry | null => {
  try {
    checkEntry(given)
    return given as Entry
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    for (const { path, message } of error.details.errors ?? []) mistakes.push(`${where}${path === '' ? '' : `, ${path}`}: ${message}.`)
    return null
  }
}

type ProviderType = NonNullable<Entry['type']>

const issuerOf = (item: Entry, type: ProviderType): string => {
  if (type === 'oidc') return item.issuer as string
  // `organizations`, `consumers` and `common` stand for many tenants: the ID token then names its own.
  if (type === 'microsoft') return `${known.microsoft.issuer}/${item.tenant ?? 'common'}/v2.0`
  return type === 'github' ? (item.issuer ?? known.github.issuer).replace(/\/+$/, '') : known.google.issuer
}

// A word of the paths beside which the names stand.
const nameProblems = ({ name }: Entry): readonly string[] => (name === 'exchange' ? ['needs another `name`'] : [])

const issuerProblems = (item: Entry, type: ProviderType): readonly string[] => {
  if (item.tenant !== undefined && type !== 'microsoft') return ['has a `tenant`, which only `microsoft` has']
  if ((type === 'google' || type === 'microsoft') && item.issuer !== undefined)
    return [`has an \`issuer\`, which is known for ${type}; for another one set "type": "oidc" or choose another name`]
  if (item.issuer === undefined)
    return type === 'oidc' ? ['needs an `issuer`: the address that the provider gives for OpenID Connect discovery'] : []
  return isSafeIssuer(item.issuer) ? [] : ['needs an `issuer` that begins with https:// and has no query, fragment or user name']
}

const secretProblems = (item: Entry, type: ProviderType): readonly string[] => [
  ...(type !== 'oidc' && item.client_secret === undefined ? ['needs a `client_secret`'] : []),
  ...(type !== 'github' && item.scopes !== undefined && !item.scopes.includes('openid') ? ['needs `openid` among its `scopes`'] : []),
]

/** An https address, or one of this machine: for everything else what the issuer says could be anybody's word. */
export const isSafeIssuer = (text: string): boolean => {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  if (url.username !== '' || url.password !== '' || text.includes('?') || text.includes('#')) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))
}

export const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)

/** As the guard's list of exceptions takes it. */
export const hostAndPort = (url: string): string => {
  const { hostname, port, protocol } = new URL(url)
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
}
