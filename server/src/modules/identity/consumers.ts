import type { App } from '../../platform/context.ts'
import { defineConsumer, type News } from '../../platform/events/consumer.ts'
import { liveExternals } from './external/live-externals.ts'
import * as workspaces from '../workspaces/workspaces.ts'
import { liveKeys } from './keys/live-keys.ts'
import { sessionCache, tokenKeys } from './services.ts'

interface Concerned {
  readonly session_id?: string
  readonly key_id?: string
  readonly user_id?: string
  readonly workspace_id?: string
}

const forgetWhat = async (app: App, events: readonly News[]): Promise<void> => {
  const [sessions, keys] = [app.use(sessionCache), app.use(liveKeys)]
  for (const { name, data } of events) {
    const { session_id, key_id, user_id, workspace_id } = data as Concerned
    if (name === 'identity.signing_key.rotated') await app.use(tokenKeys).reload()
    else if (session_id !== undefined) sessions.forget(session_id)
    else if (key_id !== undefined) keys.forgetKey(key_id)
    else if (user_id !== undefined) forgetUser(app, user_id)
    else if (workspace_id !== undefined) await forgetMembers(app, workspace_id)
    else forgetAll(app)
  }
}

const forgetUser = (app: App, user_id: string): void => {
  app.use(sessionCache).forgetUser(user_id)
  app.use(liveKeys).forgetUser(user_id)
  app.use(liveExternals).forgetUser(user_id)
}

/** Everybody who belongs to a workspace, also to one that was just deleted; when that cannot be read, everybody of all. */
const forgetMembers = async (app: App, workspace_id: string): Promise<void> => {
  try {
    const ctx = app.asSystem('forget what is in memory of the members of a workspace')
    for (const user_id of await workspaces.memberIdsOf(ctx, workspace_id)) forgetUser(app, user_id)
  } catch (error) {
    forgetAll(app)
    throw error
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
    'identity.mfa.enabled',
    'identity.mfa.disabled',
    'identity.passkey.added',
    'identity.passkey.removed',
    'users.*',
    'workspaces.member.*',
    'workspaces.deleted',
    'workspaces.restored',
  ],
  handle: forgetWhat,
  atOnce: forgetWhat,
  lost: forgetAll,
})
