import type { Ctx } from '../../../platform/context.ts'
import type { Client, Tokens } from '../sessions/sessions.ts'
import { signIn } from '../sign-in/sign-in.ts'
import * as challenges from './challenges.ts'
import { requestOptions } from '../passkeys/assertion.ts'
import type { RequestOptions } from '../passkeys/schema.ts'
import type { MfaAnswer } from './schema.ts'

/**
 * Ends a sign-in with its second factor. Errors: 401 `auth.mfa_challenge_invalid`, 401 `auth.mfa_invalid`, 429 `auth.mfa_blocked`,
 * 401 `auth.invalid_credentials` for an account that was switched off meanwhile.
 */
export const verify = async (ctx: Ctx, input: MfaAnswer, client: Client): Promise<Tokens> => {
  const system = ctx.asSystem('find the sign-in that waits for a second factor')
  const { user_id, remember_me } = await challenges.look(system, input.challenge)
  const given = {
    totp: input.code,
    recovery_code: input.recovery_code,
    passkey: input.passkey && { assertion: input.passkey, ceremony: challenges.ceremonyOf(input.challenge) },
  }
  return signIn(ctx, { user_id, remember_me, client, method: 'mfa', first: (tx) => challenges.answer(tx, input.challenge, given) })
}

/** What a passkey is to sign as the second factor. Errors: 401 `auth.mfa_challenge_invalid`, 409 `auth.passkeys_unavailable`. */
export const passkeyOptions = async (ctx: Ctx, challenge: string): Promise<RequestOptions> => {
  const { user_id } = await challenges.look(ctx.asSystem('find the sign-in that waits for a passkey'), challenge)
  return requestOptions(ctx, challenges.ceremonyOf(challenge), user_id)
}
