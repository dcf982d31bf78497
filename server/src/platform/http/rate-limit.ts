import { networkOf } from '../../lib/network.ts'
import { type Count, counters } from '../counters/counters.ts'
import { httpErrors } from './errors.ts'
import type { Exchange } from './exchange.ts'
import type { House } from './house.ts'
import { callerCounter, type Quota } from './quota.ts'
import type { RatePolicy } from './route.ts'

/** What a limit looks at of a request, and writes into it. */
export type Limited = Pick<Exchange, 'actor' | 'workspace_id' | 'ip' | 'rate_headers'>

/** Counts a request against what applies to it; null, at once, when nothing does. Rejects with 429 `http.rate_limited`. */
export type Limit = (exchange: Limited) => Promise<void> | null

interface Counted extends Count {
  readonly policy: Omit<RatePolicy, 'per'>
  /** Of the caller, and not of the route. */
  readonly quota: Quota | null
}

/** The limits of one server: those of its callers, counted over all routes, and those that a route declares. */
export const createLimits = (house: Pick<House, 'app' | 'quotas'>): ((name: string, policies: readonly RatePolicy[]) => Limit) => {
  const { app, quotas } = house
  const store = app.use(counters)
  const countCaller = (quota: Quota): Promise<Counted> =>
    store
      .counter(callerCounter(quota.name), quota.window_s)
      .add(quota.key)
      .then((count) => ({ ...count, policy: quota, quota }))

  return (name, policies) => {
    const own = policies.map((policy) => ({ policy, counter: store.counter(`${name}:${policy.name}`, policy.window_s) }))
    return (exchange) => {
      const { actor } = exchange
      const quotas_of_caller = quotas === null ? null : quotas.of(app, actor)
      if (quotas_of_caller === null && own.length === 0) return null
      const user = actor.type === 'user' ? actor.user_id : null
      const counts = own.map(({ policy, counter }) =>
        counter
          .add(policy.per === 'user' && user !== null ? user : networkOf(exchange.ip))
          .then((count): Counted => ({ ...count, policy, quota: null })),
      )
      for (const quota of quotas_of_caller ?? []) counts.push(countCaller(quota))
      return Promise.all(counts).then((all) => settle(house, exchange, all))
    }
  }
}

const secondsLeft = ({ reset_ms }: Count): number => Math.max(1, Math.ceil(reset_ms / 1_000))

/** Writes the RateLimit fields (draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4) and refuses what is over. */
const settle = (house: Pick<House, 'app' | 'quotas'>, exchange: Limited, counts: readonly Counted[]): void => {
  exchange.rate_headers = {
    'ratelimit-policy': counts.map(({ policy }) => `"${policy.name}";q=${policy.quota};w=${policy.window_s}`).join(', '),
    ratelimit: counts
      .map((count) => `"${count.policy.name}";r=${Math.max(0, count.policy.quota - count.used)};t=${secondsLeft(count)}`)
      .join(', '),
  }
  const violated = counts.filter(({ used, policy }) => used > policy.quota)
  if (violated.length === 0) return
  for (const { quota, used } of violated) if (quota !== null) house.quotas?.refused?.(house.app, exchange, quota, used)
  const retry_after = Math.max(...violated.map(secondsLeft))
  throw httpErrors.rate_limited({
    detail: `Try again in ${retry_after} seconds.`,
    headers: { 'retry-after': String(retry_after) },
    extra: { 'violated-policies': violated.map(({ policy }) => policy.name) },
  })
}
