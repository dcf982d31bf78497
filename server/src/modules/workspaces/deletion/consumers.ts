import { jobs } from '../../../engine/jobs.ts'
import { defineConsumer } from '../../../platform/events/consumer.ts'
import { withdraw } from './heirs.ts'
import { tidy } from './purge.ts'

/** Whose account is erased leaves their workspaces, and what is nobody's then goes without waiting for the next round. */
export const leaveErased = defineConsumer({
  name: 'workspaces.leave_erased',
  delivery: 'durable',
  events: ['users.erasure.requested', 'users.erased'],
  handle: async (app, events) => {
    const ctx = app.asSystem('somebody whose account is erased leaves their workspaces')
    for (const { data } of events) await withdraw(ctx, (data as { readonly user_id: string }).user_id)
    await app.use(jobs).start({ job: tidy, workspace_id: null, input: {} })
  },
})
