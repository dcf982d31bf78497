import type { Ctx } from '../../../platform/context.ts'
import * as users from '../../users/users.ts'
import type { Client, Tokens } from '../sessions/sessions.ts'
import { signIn } from '../sign-in/sign-in.ts'
import { checkAssertion, requestOptions } from './assertion.ts'
import type { Ceremony } from './challenge.ts'
import { errors } from './errors.ts'
import type { PasskeySignIn, RequestOptions } from './schema.ts'
import * as store from './store.ts'

const ceremony: Ceremony = { purpose: 'sign_in', binding: '' }

/** What any passkey of this installation is to sign; the same for everybody. 409 `auth.passkeys_unavailable`. */
export const signInOptions = (ctx: Ctx): Promise<RequestOptions> => requestOptions(ctx, ceremony, null)

/**
 * Signs in with a passkey alone, which is two factors: the device, and what unlocked it. Errors: 401 `auth.passkey_invalid`,
 * 409 `auth.passkeys_unavailable`.
 */
export const signInWithPasskey = async (ctx: Ctx, input: PasskeySignIn, client: Client): Promise<Tokens> => {
  const system = ctx.asSystem('find the account of a passkey')
  const user_id = await store.ownerOfCredential(system.db, input.passkey.id)
  // An account that is switched off is answered as a passkey that nobody has.
  if (user_id === null || (await users.byId(system, user_id))?.is_active !== true) throw errors.passkey_invalid()
  return signIn(ctx, {
    user_id,
    client,
    method: 'passkey',
    remember_me: input.remember_me ?? false,
    first: (tx) => checkAssertion(tx, { assertion: input.passkey, ceremony, user_id: null }),
  })
}
