import { Type } from 'typebox'
import { defineJob, later } from '../../../engine/job.ts'
import { jobs } from '../../../engine/jobs.ts'
import type { App } from '../../../platform/context.ts'
import * as users from '../users.ts'
import { erased } from './events.ts'
import * as store from './store.ts'

/** Starts the job of an erasure. May come twice: the second run finds nobody. */
export const startErasure = async (app: App, user_id: string): Promise<void> => {
  await app.use(jobs).start({ job: erase, workspace_id: null, input: { user_id } })
}

/** For so long the events by and about an account stay in the log after it is gone. */
const event_delay_ms = 3_600_000

/** One transaction: either everything of the person is gone or nothing is. What modules know of them goes before what it hangs on. */
export const erase = defineJob({
  name: 'users.erase',
  doc: 'Erases an account and what belongs to it alone.',
  input: Type.Object({ user_id: Type.String({ format: 'uuid' }) }),
  timeout_ms: 600_000,
  run: async (ctx, { input: { user_id } }) => {
    const found = await ctx.tx(async (tx) => {
      await users.lock(tx, user_id)
      const user = await users.byId(tx, user_id)
      if (user === null) return false
      for (const { erase: remove } of ctx.modules.flatMap(({ personal_data = [] }) => personal_data).toReversed()) await remove?.(tx, user)
      await store.deleteUser(tx.db, user_id)
      tx.emit(erased, { user_id })
      return true
    })
    // The audit and other consumers may not have read the last of them yet.
    if (found) throw later(event_delay_ms)
    // Who asks twice for one erasure must not hurry what the first one left for others to read.
    const erased_at = await store.erasedAt(ctx.db, user_id)
    const left_ms = erased_at === undefined ? 0 : Date.parse(erased_at) + event_delay_ms - ctx.now()
    if (left_ms > 0) throw later(left_ms)
    return { events: await ctx.tx((tx) => store.deleteEvents(tx.db, user_id)) }
  },
})
