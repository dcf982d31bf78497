import { httpErrors } from '../../../platform/http/errors.ts'
import { route } from '../../../platform/http/route.ts'
import { errors as userErrors } from '../../users/errors.ts'
import { busy, errors as authErrors } from '../errors.ts'
import { Message, SignedIn } from '../schema.ts'
import { clientOf, signedIn } from '../sessions/token-reply.ts'
import { requestChange } from './email-change.ts'
import { errors } from './errors.ts'
import * as magicLink from './magic-link.ts'
import * as passwords from './passwords.ts'
import {
  ConfirmedAddress,
  Disowning,
  EmailChange,
  EmailVerification,
  ForgottenPassword,
  MagicLinkRequest,
  MagicLinkUse,
  PasswordChange,
  PasswordReset,
} from './schema.ts'
import * as verification from './verification.ts'

const body_limit_bytes = 16_384

/** Asking for a mail, by somebody who may be nobody. */
const asking = (name: string) => [{ name, quota: 20, window_s: 3_600, per: 'address' }] as const
/** Showing a link. Guessing one is hopeless; this is against work for nothing. */
const showing = (name: string) => [{ name, quota: 60, window_s: 3_600, per: 'address' }] as const

const proofErrors = [errors.reauthentication_required, errors.password_wrong, busy.too_many_attempts, busy.account_guarded, busy.busy]

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
  limits: asking('password-forgot'),
  handler: async (ctx, { body }) => {
    await passwords.forgot(ctx, body.email)
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
  limits: showing('password-reset'),
  handler: async (ctx, { body }) => {
    await passwords.reset(ctx, body)
    return { message: 'The new password is set. You are signed out everywhere; sign in with it.' }
  },
})

export const changePassword = route({
  method: 'POST',
  path: '/auth/password/change',
  summary: 'Change your password',
  description:
    'Your other sessions end, and so do links that were sent to you to sign in or to change something; this session and API keys stay. An account without a password gets one in a session younger than 15 minutes.',
  allow: 'account:security',
  body: PasswordChange,
  body_limit_bytes,
  replies: { 200: Message },
  errors: [...proofErrors, authErrors.password_weak],
  limits: [{ name: 'password-change', quota: 30, window_s: 3_600, per: 'user' }],
  handler: async (ctx, { body }) => {
    await passwords.change(ctx, body)
    return { message: 'The password is changed. Your other sessions have ended.' }
  },
})

export const verifyEmail = route({
  method: 'POST',
  path: '/auth/email/verify',
  summary: 'Confirm an address with a link',
  description:
    'Takes the links of both a registration and a change of address. The link shows that somebody reads the mail of the address; that it is their account shows a session of that account or, without one, its password.',
  allow: 'public',
  body: EmailVerification,
  body_limit_bytes,
  replies: { 200: ConfirmedAddress },
  errors: [errors.link_invalid, ...proofErrors, userErrors.email_taken],
  limits: showing('email-verify'),
  handler: async (ctx, { body }) => {
    const { email } = await verification.verify(ctx, body)
    return { message: `${email} is confirmed.`, email }
  },
})

export const disownEmail = route({
  method: 'POST',
  path: '/auth/email/disown',
  summary: 'Say that an account made with your address is not yours',
  description:
    'With the link that was sent to confirm the address. Password, sessions and keys of the account stop working; whoever reads the mail of the address can still get in with a link to set a password.',
  allow: 'public',
  body: Disowning,
  body_limit_bytes,
  replies: { 200: Message },
  errors: [errors.link_invalid],
  limits: showing('email-disown'),
  handler: async (ctx, { body }) => {
    await verification.disown(ctx, body.token)
    return { message: 'Nobody can use the account any more.' }
  },
})

export const sendVerification = route({
  method: 'POST',
  path: '/auth/email/verification',
  summary: 'Send the link that confirms your address again',
  description: 'The link before stops working.',
  allow: 'account:security',
  replies: { 202: Message },
  errors: [errors.email_already_verified, httpErrors.rate_limited],
  limits: [{ name: 'email-verification', quota: 5, window_s: 3_600, per: 'user' }],
  handler: async (ctx) => {
    await verification.sendVerificationAgain(ctx)
    return { message: 'A link is on its way to your address.' }
  },
})

export const changeEmail = route({
  method: 'POST',
  path: '/auth/email/change',
  summary: 'Ask for another address',
  description:
    'A link goes to the new address, and a notice to the old one; the change takes effect when the link is used, within an hour. When the new address has an account already, its owner is told instead, and the answer is the same.',
  allow: 'account:security',
  body: EmailChange,
  body_limit_bytes,
  replies: { 202: Message },
  errors: [...proofErrors, errors.email_unchanged],
  limits: [{ name: 'email-change', quota: 10, window_s: 3_600, per: 'user' }],
  handler: async (ctx, { body }) => {
    await requestChange(ctx, body)
    return { message: 'If the address can be yours, a link to confirm it is on its way to it.' }
  },
})

export const requestMagicLink = route({
  method: 'POST',
  path: '/auth/magic-link',
  summary: 'Ask for a link to sign in with',
  description:
    'The answer is the same, and takes as long, whether the address has an account or not; one that has none gets none. The link works once, for 10 minutes; an account is sent at most five an hour.',
  allow: 'public',
  body: MagicLinkRequest,
  body_limit_bytes,
  replies: { 202: Message },
  errors: [errors.magic_link_off],
  limits: asking('magic-link'),
  handler: async (ctx, { body }) => {
    await magicLink.request(ctx, body.email)
    return { message: 'If the address has an account, a link to sign in with is on its way to it.' }
  },
})

export const useMagicLink = route({
  method: 'POST',
  path: '/auth/magic-link/verify',
  summary: 'Sign in with a link',
  description:
    'A second factor is still asked for. An account whose address was never confirmed loses every other way in, its password too: it may have been made by somebody else.',
  allow: 'public',
  body: MagicLinkUse,
  body_limit_bytes,
  replies: { 200: SignedIn },
  errors: [errors.magic_link_off, errors.link_invalid],
  limits: showing('magic-link-verify'),
  handler: async (ctx, { body, request }) => {
    const { token, remember_me = false, use_cookie = false } = body
    return signedIn(200, await magicLink.use(ctx, { token, remember_me, client: clientOf(request) }), use_cookie)
  },
})
