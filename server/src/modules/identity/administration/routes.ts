import { Type } from 'typebox'
import { reply, route } from '../../../platform/http/route.ts'
import { errors as userErrors } from '../../users/errors.ts'
import { User } from '../../users/schema.ts'
import { busy, errors as authErrors } from '../errors.ts'
import { errors as recoveryErrors } from '../recovery/errors.ts'
import { clearRefreshCookie } from '../sessions/refresh-cookie.ts'
import { Message } from '../schema.ts'
import * as administration from './administration.ts'
import { errors } from './errors.ts'
import { Leaving, NewAccount } from './schema.ts'

export const createUser = route({
  method: 'POST',
  path: '/users',
  summary: 'Make an account for somebody',
  description: 'Also while registration is closed, and for accounts that move here with the hashes of their passwords.',
  allow: 'users:manage',
  etag: true,
  body: NewAccount,
  body_limit_bytes: 16_384,
  replies: { 201: User },
  idempotent: 'claimed',
  errors: [
    ...[userErrors.email_taken, userErrors.username_taken, authErrors.password_weak],
    ...[errors.password_twice, errors.password_hash_unknown, busy.busy],
  ],
  handler: async (ctx, { body }) => reply({ status: 201, body: await administration.createAccount(ctx, body) }),
})

const erasing = 'The account is switched off and its sessions have ended. What belongs to it is being erased.'

export const deleteUser = route({
  method: 'DELETE',
  path: '/users/{id}',
  summary: "Erase somebody's account",
  description:
    'With its personal workspace and everything in it. At once it can be used no more; the rest follows in the background. Not your own: that is `POST /users/profile/erase`.',
  allow: 'users:manage',
  params: Type.Object({ id: Type.String({ format: 'uuid' }) }),
  replies: { 202: Message },
  errors: [userErrors.not_found, userErrors.last_admin, authErrors.self_deactivation, errors.sole_owner],
  handler: async (ctx, { params }) => {
    await administration.eraseAccount(ctx, params.id.toLowerCase())
    return reply({ status: 202, body: { message: erasing } })
  },
})

export const leave = route({
  method: 'POST',
  path: '/users/profile/erase',
  summary: 'Erase your account',
  description:
    'With your personal workspace and everything in it, for good. Takes your password, or a second factor; an account with neither needs a session younger than 15 minutes.',
  allow: 'account:security',
  body: Leaving,
  replies: { 202: Message },
  errors: [
    ...[userErrors.last_admin, errors.sole_owner, recoveryErrors.reauthentication_required, recoveryErrors.password_wrong],
    ...[busy.too_many_attempts, busy.busy],
  ],
  limits: [{ name: 'erase', quota: 20, window_s: 3_600, per: 'user' }],
  handler: async (ctx, { body }) => {
    await administration.leave(ctx, body)
    return reply({ status: 202, body: { message: erasing }, cookies: [clearRefreshCookie] })
  },
})
