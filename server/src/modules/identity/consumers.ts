import type { App } from '../../platform/context.ts'
import { defineConsumer, type News } from '../../platform/events/consumer.ts'
import { sessionCache, tokenKeys } from './services.ts'

const forgetWhat = async (app: App, events: readonly News[]): Promise<void> => {
  const cache = app.use(sessionCache)
  for (const { name, data } of events) {
    const { session_id, user_id } = data as { readonly session_id?: string; readonly user_id?: string }
    if (name === 'identity.signing_key.rotated') await app.use(tokenKeys).reload()
    else if (session_id !== undefined) cache.forgetSession(session_id)
    else if (user_id !== undefined) cache.forgetUser(user_id)
    else cache.clear()
  }
}

/** What was done to sessions, accounts and memberships, here and in other processes, and so to what is in memory. */
export const forget = defineConsumer({
  name: 'identity.forget',
  delivery: 'every_process',
  events: ['identity.session.revoked', 'identity.signing_key.rotated', 'users.*', 'workspaces.member.*', 'workspaces.deleted'],
  handle: forgetWhat,
  atOnce: forgetWhat,
  lost: (app) => app.use(sessionCache).clear(),
})
