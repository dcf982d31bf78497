/** What a plan gives, from the least to the most. */
export const plan_names = ['free', 'basic', 'premium', 'enterprise'] as const

export type PlanName = (typeof plan_names)[number]

export type Feature = 'requests' | 'executions' | 'storage_bytes' | 'seats' | 'ai_budget_pico_usd' | 'workspaces' | 'api_keys'

/**
 * How a feature is limited.
 *
 * - `rate`: so many in an hour, for a user.
 * - `counted`: so much in a calendar month (UTC), for a workspace. What is used is counted here.
 * - `gauge`: so much at any time, for a workspace or a user. What is there is known to the module that keeps it.
 */
export interface FeatureDeclaration {
  readonly kind: 'rate' | 'counted' | 'gauge'
  readonly per: 'user' | 'workspace'
  /** What one of it is, as a price page says it. */
  readonly unit: string
  readonly doc: string
}

export const features = {
  requests: { kind: 'rate', per: 'user', unit: 'requests per hour', doc: 'Requests to the API.' },
  executions: {
    kind: 'counted',
    per: 'workspace',
    unit: 'executions per month',
    doc: 'Executions of workflows, however they are started.',
  },
  ai_budget_pico_usd: {
    kind: 'counted',
    per: 'workspace',
    unit: 'pico-USD per month',
    doc: 'What calls of AI models may cost, in millionths of a millionth of a US dollar.',
  },
  storage_bytes: { kind: 'gauge', per: 'workspace', unit: 'bytes', doc: 'Files that are kept.' },
  seats: { kind: 'gauge', per: 'workspace', unit: 'members', doc: 'Members of a workspace, open invitations included.' },
  workspaces: { kind: 'gauge', per: 'user', unit: 'workspaces', doc: 'Workspaces that a user owns, the personal one included.' },
  api_keys: { kind: 'gauge', per: 'user', unit: 'API keys', doc: 'API keys of a user that are good.' },
} as const satisfies { readonly [F in Feature]: FeatureDeclaration }

type OfKind<K> = { [F in Feature]: (typeof features)[F]['kind'] extends K ? F : never }[Feature]
export type CountedFeature = OfKind<'counted'>
export type GaugeFeature = OfKind<'gauge'>

export const feature_names = Object.keys(features) as readonly Feature[]

/** Null: without a limit. */
export type Limits = { readonly [F in Feature]: number | null }

const gibibyte = 1024 ** 3
/** All amounts of it stay below 2^53: JSON and PostgreSQL carry them without loss. */
const usd = 1_000_000_000_000

/** THE list of what is sold. */
export const plans: { readonly [P in PlanName]: Limits } = {
  free: {
    requests: 100,
    executions: 1_000,
    ai_budget_pico_usd: 0.5 * usd,
    storage_bytes: 1 * gibibyte,
    seats: 3,
    workspaces: 2,
    api_keys: 3,
  },
  basic: {
    requests: 500,
    executions: 10_000,
    ai_budget_pico_usd: 10 * usd,
    storage_bytes: 20 * gibibyte,
    seats: 10,
    workspaces: 5,
    api_keys: 20,
  },
  premium: {
    requests: 2_000,
    executions: 100_000,
    ai_budget_pico_usd: 100 * usd,
    storage_bytes: 200 * gibibyte,
    seats: 50,
    workspaces: 25,
    api_keys: 50,
  },
  enterprise: {
    requests: null,
    executions: null,
    ai_budget_pico_usd: null,
    storage_bytes: null,
    seats: null,
    workspaces: null,
    api_keys: null,
  },
}

/** The best of some plans; the least when there is none. A name that is not sold any more counts as the least. */
export const bestOf = (names: readonly string[]): PlanName =>
  plan_names[Math.max(0, ...names.map((name) => plan_names.indexOf(name as PlanName)))] as PlanName

/** What a plan gives of a feature; null without a limit. */
export const limitOf = (plan: string, feature: Feature): number | null => plans[bestOf([plan])][feature]
