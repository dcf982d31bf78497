import { Type, type Static } from 'typebox'

const Key = Type.Optional(
  Type.String({
    format: 'expression',
    minLength: 1,
    maxLength: 2_000,
    description: 'What is limited by itself: an expression over `trigger`, as `trigger.body.customer`. Without it the workflow as a whole.',
  }),
)

const most_at_once = { minimum: 1, maximum: 10_000 }

export const Concurrency = Type.Union(
  [Type.Integer({ ...most_at_once }), Type.Object({ limit: Type.Integer({ ...most_at_once }), key: Key }, { additionalProperties: false })],
  { description: 'Executions at once; further ones are queued. One that waits for a time, a call or a decision counts.' },
)

export const RateLimit = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 10_000, description: 'Executions that begin within any `per_ms`.' }),
    per_ms: Type.Integer({ minimum: 10, maximum: 31 * 86_400_000 }),
    key: Key,
  },
  { additionalProperties: false, description: 'How many executions begin in a time; further ones are queued.' },
)

export const Priority = Type.Integer({
  minimum: -100,
  maximum: 100,
  default: 0,
  description: 'Of what the workspace has queued, the higher one begins first.',
})

/** The settings that limit a workflow. */
export interface LimitSettings {
  readonly concurrency?: Static<typeof Concurrency>
  readonly rate_limit?: Static<typeof RateLimit>
}

/** The numbers of them; null where there is no such limit. */
export interface LimitNumbers {
  readonly concurrency: number | null
  readonly rate: number | null
  readonly per_ms: number | null
}

export const concurrencyOf = ({ concurrency }: LimitSettings): { readonly limit: number; readonly key?: string } | null => {
  if (concurrency === undefined) return null
  return typeof concurrency === 'number' ? { limit: concurrency } : concurrency
}

export const numbersOf = (settings: LimitSettings): LimitNumbers | null => {
  const concurrency = concurrencyOf(settings)
  const { rate_limit } = settings
  if (concurrency === null && rate_limit === undefined) return null
  return { concurrency: concurrency?.limit ?? null, rate: rate_limit?.limit ?? null, per_ms: rate_limit?.per_ms ?? null }
}
