import { route } from '../../../platform/http/route.ts'
import { busy, errors as authErrors } from '../errors.ts'
import { Message } from '../schema.ts'
import { errors } from './errors.ts'
import * as recovery from './recovery.ts'
import { ForgottenPassword, PasswordReset } from './schema.ts'

const body_limit_bytes = 16_384

export const forgotPassword = route({
  method: 'POST',
  path: '/auth/password/forgot',
  summary: 'Ask for a link to set a new password',
  description:
    'The answer is the same, and takes as long, whether the address has an account or not. The link works once, for 30 minutes; an account is sent at most five an hour.',
  allow: 'public',
  body: ForgottenPassword,
  body_limit_bytes,
  replies: { 202: Message },
  limits: [{ name: 'password-forgot', quota: 20, window_s: 3_600, per: 'address' }],
  handler: async (ctx, { body }) => {
    await recovery.forgot(ctx, body.email)
    return { message: 'If the address has an account, a link to set a new password is on its way to it.' }
  },
})

export const resetPassword = route({
  method: 'POST',
  path: '/auth/password/reset',
  summary: 'Set a new password with a link',
  description:
    'Signs nobody in, and a second factor is still asked for at the next sign-in. Every session and every other link of the account ends; API keys stay. An account whose address was never confirmed loses every other way in: it may have been made by somebody else.',
  allow: 'public',
  body: PasswordReset,
  body_limit_bytes,
  replies: { 200: Message },
  errors: [errors.link_invalid, authErrors.password_weak, busy.busy],
  limits: [{ name: 'password-reset', quota: 60, window_s: 3_600, per: 'address' }],
  handler: async (ctx, { body }) => {
    await recovery.reset(ctx, body)
    return { message: 'The new password is set. You are signed out everywhere; sign in with it.' }
  },
})
