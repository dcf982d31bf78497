import type { Actor, App } from '../../platform/context.ts'
import type { Counter, Counters } from '../../platform/counters/counters.ts'
import { callerCounter, type Quota, type Quotas } from '../../platform/http/quota.ts'
import { bestOf, limitOf, plan_names, plans } from './catalogue.ts'
import { notices } from './notices.ts'
import { hourOf } from './period.ts'

const window_s = 3_600
/** The names in `RateLimit-Policy`: of the plan, which a user has once, and of an API key's own. */
const of_plan = 'hour'
const of_key = 'key-hour'

/** Where the rate limiter counts the requests of users: by their ids. */
export const requestsCounter = (counters: Counters): Counter => counters.counter(callerCounter(of_plan), window_s)

/** What a caller has of requests: that of their plan, over all sessions and keys together, and what an API key was given of its own. */
const quotasOf = (_app: App, actor: Actor): readonly Quota[] | null => {
  if (actor.type !== 'user') return null
  const quota = limitOf(actor.plan, 'requests')
  const own = actor.via.type === 'api_key' ? actor.via.requests_per_hour : null
  if (quota === null && own === null) return null
  const all: Quota[] = quota === null ? [] : [{ name: of_plan, quota, window_s, key: actor.user_id }]
  if (actor.via.type === 'api_key' && own !== null) all.push({ name: of_key, quota: own, window_s, key: actor.via.key_id })
  return all
}

export const quotas: Quotas = {
  of: quotasOf,
  refused: (app, { actor, workspace_id }, { name, quota }, used) => {
    // That a key has used up what it was given says nothing of the plan.
    if (actor.type !== 'user' || workspace_id === null || name !== of_plan) return
    const { period_start } = hourOf(app.now())
    const told = { workspace_id, user_id: actor.user_id, feature: 'requests', plan: bestOf([actor.plan]), limit: quota } as const
    app.use(notices).tell({ ...told, kind: 'reached', used, period_start })
  },
  described: Object.fromEntries(plan_names.flatMap((name) => (plans[name].requests === null ? [] : [[name, plans[name].requests]]))),
}
