import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { httpErrors } from './errors.ts'
import type { Exchange } from './exchange.ts'
import type { RatePolicy } from './route.ts'

/** Counts a request against what applies to it; null, at once, when nothing does. Rejects with 429 `http.rate_limited`. */
export type Limit = (exchange: Exchange) => Promise<void> | null

/** Requests per hour by plan. A plan that is not here (`enterprise`) has no quota. */
export const plan_quotas: { readonly [plan: string]: number } = { free: 100, basic: 500, premium: 2_000 }

interface Counter {
  readonly policy: Omit<RatePolicy, 'per'>
  readonly limiter: RateLimiterMemory
}

interface Count {
  readonly counter: Counter
  readonly remaining: number
  readonly reset_s: number
  readonly violated: boolean
}

const counterOf = (policy: Omit<RatePolicy, 'per'>, keyPrefix: string): Counter => ({
  policy,
  limiter: new RateLimiterMemory({ points: policy.quota, duration: policy.window_s, keyPrefix }),
})

/** The limits of one server: a counter per plan, shared by all routes, and one per policy that a route declares. */
export const createLimits = (): ((name: string, policies: readonly RatePolicy[]) => Limit) => {
  const plans = new Map(
    Object.entries(plan_quotas).map(([plan, quota]) => [plan, counterOf({ name: 'hour', quota, window_s: 3_600 }, `plan:${plan}`)]),
  )
  return (name, policies) => {
    const own = policies.map((policy) => ({ per: policy.per, counter: counterOf(policy, `${name}:${policy.name}`) }))
    return (exchange) => {
      const { actor } = exchange
      const plan = actor.type === 'user' ? plans.get(actor.plan) : undefined
      if (plan === undefined && own.length === 0) return null
      const user = actor.type === 'user' ? actor.user_id : null
      const counts = own.map(({ per, counter }) => count(counter, per === 'user' && user !== null ? user : exchange.ip))
      if (plan !== undefined && user !== null) counts.push(count(plan, user))
      return Promise.all(counts).then((all) => settle(exchange, all))
    }
  }
}

const count = async (counter: Counter, key: string): Promise<Count> => {
  const result = await counter.limiter.consume(key).catch((refused: unknown) => {
    if (refused instanceof RateLimiterRes) return refused
    throw refused
  })
  return {
    counter,
    remaining: Math.max(0, result.remainingPoints),
    reset_s: Math.max(1, Math.ceil(result.msBeforeNext / 1_000)),
    violated: result.consumedPoints > counter.policy.quota,
  }
}

/** Writes the RateLimit fields (draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4) and refuses what is over. */
const settle = (exchange: Exchange, counts: readonly Count[]): void => {
  exchange.rate_headers = {
    'ratelimit-policy': counts.map(({ counter: { policy } }) => `"${policy.name}";q=${policy.quota};w=${policy.window_s}`).join(', '),
    ratelimit: counts.map(({ counter, remaining, reset_s }) => `"${counter.policy.name}";r=${remaining};t=${reset_s}`).join(', '),
  }
  const violated = counts.filter((one) => one.violated)
  if (violated.length === 0) return
  const retry_after = Math.max(...violated.map(({ reset_s }) => reset_s))
  throw httpErrors.rate_limited({
    detail: `Try again in ${retry_after} seconds.`,
    headers: { 'retry-after': String(retry_after) },
    extra: { 'violated-policies': violated.map(({ counter }) => counter.policy.name) },
  })
}
