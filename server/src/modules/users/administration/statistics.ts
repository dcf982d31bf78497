import type { Ctx } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import type { Figures } from '../../../platform/module.ts'
import type { SystemStatistics } from './schema.ts'
import * as store from './store.ts'

/** What each module counts of the caller's account. */
export const ofCaller = async (ctx: Ctx): Promise<{ [name: string]: Figures }> => {
  const { actor } = ctx
  if (actor.type !== 'user') throw httpErrors.unauthenticated()
  const system = ctx.asSystem('count what belongs to the caller')
  const offered = ctx.modules.flatMap(({ statistics = [] }) => statistics)
  const counted = await Promise.all(
    offered.flatMap(({ name, ofUser }) => (ofUser ? [ofUser(system, actor.user_id).then((figures) => [name, figures] as const)] : [])),
  )
  return Object.fromEntries(counted)
}

const day_ms = 86_400_000

/** The accounts of the installation counted, and what each module counts of it. For admins; the route checks that. */
export const ofInstallation = async (ctx: Ctx): Promise<SystemStatistics> => {
  const system = ctx.asSystem('an admin asks how many there are of what')
  const ago = (days: number): string => new Date(ctx.now() - days * day_ms).toISOString()
  const offered = ctx.modules.flatMap(({ statistics = [] }) => statistics)
  const [users, roles, plans, more] = await Promise.all([
    store.countUsers(system.db, ago(7), ago(30)),
    store.countBy(system.db, 'role'),
    store.countBy(system.db, 'plan'),
    Promise.all(
      offered.flatMap(({ name, ofInstallation: count }) => (count ? [count(system).then((figures) => [name, figures] as const)] : [])),
    ),
  ])
  return {
    users: { ...users, inactive: users.total - users.active },
    by_role: Object.fromEntries(roles.map(({ value, count }) => [value, count])),
    by_plan: Object.fromEntries(plans.map(({ value, count }) => [value, count])),
    more: Object.fromEntries(more),
  }
}
