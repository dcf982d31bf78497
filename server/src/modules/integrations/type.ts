import { Type, type Static, type TObject } from 'typebox'
import type { App } from '../../platform/context.ts'
import { type FieldError, invalid, type Validate, validatorOf } from '../../platform/http/validate.ts'
import { allowed_host_pattern, type Origin } from './hosts.ts'
import type { HealthStatus } from './schema.ts'

export interface Verdict {
  readonly status: HealthStatus
  /** What a person can do something with; never what the other side wrote, which may be the credential. */
  readonly error: string | null
}

export interface TestIo {
  readonly app: App
  readonly signal: AbortSignal
}

/** What a credential adds to a request. */
export interface Addition {
  readonly headers?: { readonly [name: string]: string }
  readonly query?: { readonly [name: string]: string }
}

/** A kind of integration, as data. `config` may be seen, `credentials` may not: they are texts, and the schema says which. */
export interface IntegrationTypeOf<Config, Credentials> {
  readonly type: string
  readonly title: string
  /** Where the credentials are found, and what they need to be allowed. */
  readonly doc: string
  /** What schemas cannot say. */
  readonly problems?: (config: Config, credentials: Partial<Credentials>) => readonly FieldError[]
  /** Where the credentials may go by HTTP. */
  readonly hosts: (config: Config) => readonly Origin[]
  /** Where else they may go, in any words: to compare one configuration with another. */
  readonly elsewhere?: (config: Config) => readonly string[]
  /** Whether, as it is configured, somebody has to give their consent at the service. */
  readonly needs_consent?: (config: Config) => boolean
  /** Its requests carry a token that the service gives out: `credentials` have it as `access_token` where they are used. */
  readonly uses_tokens?: true
  /** How a request carries them; a type without cannot be used by `http.request`. */
  readonly sign?: (config: Config, credentials: Credentials) => Addition
  /** The cheapest real call. */
  readonly test: (io: TestIo, config: Config, credentials: Credentials) => Promise<Verdict>
}

type Values = { readonly [field: string]: unknown }

export interface IntegrationType extends IntegrationTypeOf<Values, { readonly [field: string]: string }> {
  readonly config: TObject
  readonly credentials: TObject
  /** Refuses `{ config, credentials }` with 422, or fills in the defaults. */
  readonly validate: (input: { readonly config: Values; readonly credentials: Values }) => void
}

export const defineType = <C extends TObject, S extends TObject>(
  declaration: IntegrationTypeOf<Static<C>, Static<S>> & { readonly config: C; readonly credentials: S },
): IntegrationType => {
  const { config, credentials } = declaration
  const fits: Validate = validatorOf(Type.Object({ config, credentials }) as never)
  const type = declaration as unknown as IntegrationType
  return {
    ...type,
    validate: (input) => {
      fits(input)
      const problems = [...unreadableUrls(input.config), ...(type.problems?.(input.config, input.credentials as never) ?? [])]
      if (problems.length > 0) throw invalid(problems)
    },
  }
}

const unreadableUrls = (config: Values): readonly FieldError[] =>
  Object.entries(config).flatMap(([name, value]) =>
    name.endsWith('_url') && typeof value === 'string' && !URL.canParse(value) ? [{ path: `config.${name}`, message: 'is not a URL' }] : [],
  )

/** A problem for each of the credentials that is not there. */
export const needed = (credentials: Values, ...names: readonly string[]): readonly FieldError[] =>
  names.flatMap((name) => (credentials[name] === undefined ? [{ path: `credentials.${name}`, message: 'is required' }] : []))

/** Without a user name, a query or a fragment: those could hold what must not be seen, or say another host than it seems. */
const url_pattern = '^https?://[^\\s@?#\\\\]+$'

export const UrlField = (description: string) => Type.String({ maxLength: 2_000, pattern: url_pattern, description })

/** Of a service with an address of its own, which a proxy or a region may replace. */
export const BaseUrl = (url: string) =>
  Type.String({ maxLength: 2_000, pattern: url_pattern, default: url, description: 'Where the service is.' })

export const AllowedHosts = Type.Array(Type.String({ maxLength: 300, pattern: allowed_host_pattern }), {
  maxItems: 20,
  description:
    'Further hosts that requests may send the credential to: `api.example.com`, `api.example.com:8443`, `*.example.com`. Over https, unless an entry begins with `http://`.',
})

export const SecretField = (description: string) => Type.String({ minLength: 1, maxLength: 16_384, description })

/** `path` below a base URL. */
export const below = (base_url: string, path: string): string => base_url.replace(/\/+$/, '') + path
