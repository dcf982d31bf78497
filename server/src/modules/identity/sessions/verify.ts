import type { Actor, Ctx } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { publicPartOf } from '../keys/key-format.ts'
import { liveKeys } from '../keys/live-keys.ts'
import { tokenKeys } from '../services.ts'

type User = Extract<Actor, { readonly type: 'user' }>

export interface Verified {
  readonly valid: true
  readonly user_id: string
  readonly session_id: string | null
  readonly api_key_id: string | null
  readonly expires_at: string | null
  readonly scopes: string[]
}

/** What the presented access token or API key is good for. */
export const verify = async (ctx: Ctx, bearer: string): Promise<Verified> => {
  const { actor } = ctx
  if (actor.type !== 'user') throw httpErrors.unauthenticated()
  const { user_id, via } = actor
  const good = { valid: true, user_id, session_id: null, api_key_id: null, expires_at: null, scopes: ['*'] } as const
  if (via.type === 'api_key') return { ...good, ...(await ofKey(ctx, actor, via.key_id)) }
  if (via.type === 'external') return { ...good, scopes: ['*'] }
  const claims = ctx.use(tokenKeys).current().verify(bearer, ctx.now())
  if (claims === null) throw httpErrors.unauthenticated()
  return { ...good, session_id: via.session_id, expires_at: new Date(claims.exp * 1000).toISOString(), scopes: ['*'] }
}

/** A key does what was given to it and its owner may do now. */
const ofKey = async (ctx: Ctx, { user_id }: User, key_id: string): Promise<Pick<Verified, 'api_key_id' | 'expires_at' | 'scopes'>> => {
  const key = await ctx.use(liveKeys).get(publicPartOf(key_id), user_id)
  const scopes = [...ctx.permissions.keys()].filter((permission) => ctx.may(permission)).toSorted()
  const ends = key !== null && Number.isFinite(key.expires_at)
  return { api_key_id: key_id, expires_at: ends ? new Date(key.expires_at).toISOString() : null, scopes }
}
