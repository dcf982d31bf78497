import { batched } from '../../../lib/batch.ts'
import type { App } from '../../../platform/context.ts'
import { defineService } from '../../../platform/service.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import { sessionLife } from './refresh-tokens.ts'
import { type Rotated, type Rotation, rotateTokens } from './rotation-store.ts'

export interface RotatedSession {
  readonly session: Rotated
  readonly user: UserRow
}

export interface Rotations {
  /** Uses a refresh token up and records its child; null when that cannot be done so easily, and nothing was. */
  readonly rotate: (rotation: Rotation) => Promise<RotatedSession | null>
}

/** Of tokens in one statement, and of such statements at a time. */
const limits = { most: 200, at_once: 2 }

/**
 * The first use of good refresh tokens: many of them share a transaction, and with it the round trips and the wait for the disk. Whatever
 * else there is to say to a token, that it was used, has expired, or its session has ended or must move to another workspace, is the
 * caller's to find out.
 */
export const rotations = defineService<Rotations>({
  name: 'identity.rotations',
  create: (app) => ({ rotate: batched(limits, (asked: readonly Rotation[]) => rotateAll(app, asked)) }),
})

const rotateAll = (app: App, asked: readonly Rotation[]): Promise<readonly (RotatedSession | null)[]> =>
  app.asSystem('rotate refresh tokens that are used for the first time').tx(async (tx) => {
    // A second use in the same batch is a second use.
    const once = new Map(asked.map((rotation) => [rotation.token_hash, rotation]))
    const now = tx.now()
    const idle_ms = { short: sessionLife(false).idle_ms, long: sessionLife(true).idle_ms }
    const sessions = await rotateTokens(tx.db, [...once.values()], { now, ...idle_ms })
    const owners = await users.byIds(tx, [...new Set(sessions.map(({ user_id }) => user_id))])
    const ownerOf = new Map(owners.map((user) => [user.id, user]))
    const done = new Map(sessions.map((session) => [session.token_hash, { session, user: ownerOf.get(session.user_id) as UserRow }]))
    return asked.map((rotation) => (once.get(rotation.token_hash) === rotation ? (done.get(rotation.token_hash) ?? null) : null))
  })
