import type { App } from '../../platform/context.ts'
import { defineConsumer, type News } from '../../platform/events/consumer.ts'
import { liveExternals } from './external/live-externals.ts'
import { liveKeys } from './keys/live-keys.ts'
import { sessionCache, tokenKeys } from './services.ts'

interface Concerned {
  readonly session_id?: string
  readonly key_id?: string
  readonly user_id?: string
}

const forgetWhat = async (app: App, events: readonly News[]): Promise<void> => {
  const [sessions, keys, externals] = [app.use(sessionCache), app.use(liveKeys), app.use(liveExternals)]
  for (const { name, data } of events) {
    const { session_id, key_id, user_id } = data as Concerned
    if (name === 'identity.signing_key.rotated') await app.use(tokenKeys).reload()
    else if (session_id !== undefined) sessions.forget(session_id)
    else if (key_id !== undefined) keys.forgetKey(key_id)
    else if (user_id !== undefined) for (const cache of [sessions, keys, externals]) cache.forgetUser(user_id)
    else forgetAll(app)
  }
}

const forgetAll = (app: App): void => {
  app.use(sessionCache).clear()
  app.use(liveKeys).clear()
  app.use(liveExternals).clear()
}

/** What was done to sessions, keys, accounts and memberships, here and in other processes, and so to what is in memory. */
export const forget = defineConsumer({
  name: 'identity.forget',
  delivery: 'every_process',
  events: [
    'identity.session.revoked',
    'identity.signing_key.rotated',
    'identity.api_key.*',
    'identity.account.*',
    'identity.identity.*',
    'users.*',
    'workspaces.member.*',
    'workspaces.deleted',
    'workspaces.restored',
  ],
  handle: forgetWhat,
  atOnce: forgetWhat,
  lost: forgetAll,
})
