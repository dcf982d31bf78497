import type { App, Ctx, TxCtx } from '../../platform/context.ts'
import type { Problem } from '../../platform/errors.ts'
import { httpErrors } from '../../platform/http/errors.ts'
import * as users from '../users/users.ts'
import { bestOf, type CountedFeature, features, type GaugeFeature, type PlanName, plans } from './catalogue.ts'
import { errors } from './errors.ts'
import { notices } from './notices.ts'
import { hourOf, monthOf, type Period } from './period.ts'
import * as store from './store.ts'
import { type Taken, usageBook } from './usage-book.ts'
import { workspacePlans } from './workspace-plans.ts'

/** So much of what is counted by the month. Amounts are whole numbers. */
export interface CountedNeed {
  readonly feature: CountedFeature
  readonly amount: number
}

/** So much more of what is there at any time. */
export interface GaugeNeed {
  readonly feature: GaugeFeature
  readonly amount: number
  /** Counts what is there, in the caller's transaction. Asked only when the plan has a limit, and while nobody else can add. */
  readonly used: () => Promise<number>
  /** Whose limit it is, for what is limited per user; the caller when not given. */
  readonly user_id?: string
}

/** What was taken: for `refund`, where what it was taken for did not come about. */
export interface Spent {
  readonly workspace_id: string
  readonly feature: CountedFeature
  readonly amount: number
  readonly period_start: string
}

interface Check {
  (ctx: Ctx, need: CountedNeed): Spent | null | Promise<Spent | null>
  (tx: TxCtx, need: GaugeNeed): null | Promise<null>
}

/**
 * Asks whether the plan allows something, before it is done. Throws 402 `plans.limit_reached` when it does not.
 *
 * - Counted features (`executions`, `ai_budget_pico_usd`): takes `amount` for good, and answers what was taken. Durable when it
 *   resolves; in a transaction, together with it. However many ask at the same moment, the limit is never passed.
 * - Gauges (`seats`, `storage_bytes`, `workspaces`, `api_keys`): within the transaction that adds, so that two who add at once come
 *   one after the other. `used` counts what is there.
 *
 * For a plan without a limit the answer is null, at once where the plan is in memory, and costs no query.
 */
export const check = ((ctx: Ctx, need: CountedNeed | GaugeNeed) => {
  if (!Number.isSafeInteger(need.amount) || need.amount < 0) throw new RangeError('What a plan is asked for is a whole number.')
  if ('used' in need) return checkRoom(ctx, need)
  return checkCounted(ctx, workspaceOf(ctx), need, isTx(ctx) ? ctx : null)
}) as Check

/** The same for a counted feature of a workspace that is named, where nobody is signed in. */
export const checkFor = (app: App, workspace_id: string, need: CountedNeed): Spent | null | Promise<Spent | null> =>
  checkCounted(app, workspace_id, need, null)

/** Does what something was taken for, and gives it back when that fails. */
export const spending = async <T>(app: App, taken: Spent | null | Promise<Spent | null>, work: () => Promise<T>): Promise<T> => {
  const spent = await taken
  try {
    return await work()
  } catch (error) {
    await refund(app, spent).catch((failure: unknown) =>
      app.log.warn({ err: failure, feature: spent?.feature }, 'what was taken from a plan for nothing could not be given back'),
    )
    throw error
  }
}

/** Gives back what was taken. */
export const refund = async (app: App, spent: Spent | null): Promise<void> => {
  if (spent === null) return
  await app.asSystem('what was taken from a plan was not used', spent.workspace_id).tx((tx) => store.giveBack(tx.db, spent, spent.amount))
}

/** Removes what was counted for a workspace that is gone for good. */
export const removeWorkspace = (app: App, workspace_id: string): Promise<boolean> =>
  app.asSystem('what a workspace has used goes with it', workspace_id).tx(async (tx) => {
    await store.removeWorkspace(tx.db, workspace_id)
    return true
  })

/** The plan of a workspace, the best among its owners; at once when it is in memory. */
export const planOf = (app: App, workspace_id: string): PlanName | Promise<PlanName> => app.use(workspacePlans).get(workspace_id)

const isTx = (ctx: Ctx): ctx is TxCtx => 'afterCommit' in ctx

/** The workspace that the caller works in. */
export const workspaceOf = (ctx: Ctx): string => {
  if (ctx.workspace_id === null) throw httpErrors.forbidden({ detail: 'This needs a workspace.' })
  return ctx.workspace_id
}

const checkCounted = (app: App, workspace_id: string, need: CountedNeed, tx: TxCtx | null): Spent | null | Promise<Spent | null> => {
  const plan = planOf(app, workspace_id)
  if (plan instanceof Promise) return plan.then((known) => take({ app, workspace_id, need, tx, plan: known }))
  return take({ app, workspace_id, need, tx, plan })
}

interface Taking {
  readonly app: App
  readonly workspace_id: string
  readonly need: CountedNeed
  readonly tx: TxCtx | null
  readonly plan: PlanName
}

const take = (taking: Taking): null | Promise<Spent> => {
  const limit = plans[taking.plan][taking.need.feature]
  return limit === null || taking.need.amount === 0 ? null : takeWithin(taking, limit)
}

const takeWithin = async ({ app, workspace_id, need, tx, plan }: Taking, limit: number): Promise<Spent> => {
  const { feature, amount } = need
  const period = monthOf(app.now())
  const key = { workspace_id, feature, period_start: period.period_start }
  const taken: Taken =
    tx === null
      ? await app.use(usageBook).take({ ...key, amount, limit })
      : await store.spend(tx.db, key, { amount, count: 1, limit }).then(({ granted, used }) => ({ granted: granted === 1, used }))
  const told = { workspace_id, user_id: null, feature, plan, limit, used: taken.used, period_start: period.period_start }
  if (!taken.granted) {
    app.use(notices).tell({ ...told, kind: 'reached' })
    throw limitReached({ ...told, amount, period })
  }
  // From four fifths on.
  if (taken.used * 5 >= limit * 4) {
    const tell = (): void => app.use(notices).tell({ ...told, kind: 'near' })
    if (tx === null) tell()
    else tx.afterCommit(tell)
  }
  return { ...key, feature, amount }
}

const checkRoom = (ctx: Ctx, need: GaugeNeed): null | Promise<null> => {
  if (!isTx(ctx)) throw new Error(`Room for ${need.feature} is asked for in the transaction that adds.`)
  const holder = holderOf(ctx, need)
  return holder instanceof Promise ? holder.then((known) => room(ctx, need, known)) : room(ctx, need, holder)
}

/** Whose limit it is, and by which plan. */
interface Holder {
  readonly id: string
  readonly plan: PlanName
}

const holderOf = (tx: TxCtx, need: GaugeNeed): Holder | Promise<Holder> => {
  if (features[need.feature].per === 'workspace') {
    const id = workspaceOf(tx)
    const plan = planOf(tx, id)
    return plan instanceof Promise ? plan.then((known) => ({ id, plan: known })) : { id, plan }
  }
  const { actor } = tx
  if (actor.type === 'user' && (need.user_id === undefined || need.user_id === actor.user_id)) {
    return { id: actor.user_id, plan: bestOf([actor.plan]) }
  }
  const id = need.user_id
  if (id === undefined) throw new Error(`Whose ${need.feature} they are has to be said where nobody is signed in.`)
  return users
    .plansOf(tx.asSystem('the plan of a user who is not the caller'), [id])
    .then((found) => ({ id, plan: bestOf([...found.values()]) }))
}

const room = (tx: TxCtx, need: GaugeNeed, { id, plan }: Holder): null | Promise<null> => {
  const limit = plans[plan][need.feature]
  return limit === null || need.amount === 0 ? null : roomWithin(tx, need, { id, plan }, limit)
}

const roomWithin = async (tx: TxCtx, { feature, amount, used: count }: GaugeNeed, { id, plan }: Holder, limit: number): Promise<null> => {
  await store.lock(tx.db, `plans ${feature} ${id}`)
  const used = await count()
  if (used + amount <= limit) return null
  const { period_start } = hourOf(tx.now())
  const user_id = features[feature].per === 'user' ? id : null
  if (tx.workspace_id !== null) {
    tx.use(notices).tell({ kind: 'reached', workspace_id: tx.workspace_id, user_id, feature, plan, limit, used, period_start })
  }
  throw limitReached({ feature, plan, limit, used, amount, period: null })
}

interface Refusal {
  readonly feature: CountedFeature | GaugeFeature
  readonly plan: PlanName
  readonly limit: number
  readonly used: number
  readonly amount: number
  readonly period: Period | null
}

const limitReached = ({ feature, plan, limit, used, amount, period }: Refusal): Problem => {
  const { unit } = features[feature]
  return errors.limit_reached({
    detail: `The ${plan} plan gives ${limit} ${unit}; ${used} are used.`,
    extra: { 'violated-policies': [feature], feature, plan, limit, used, requested: amount, period_end: period?.period_end ?? null },
  })
}
