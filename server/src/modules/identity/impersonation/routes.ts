import { Type } from 'typebox'
import { reply, route } from '../../../platform/http/route.ts'
import { errors as userErrors } from '../../users/errors.ts'
import { errors as authErrors } from '../errors.ts'
import { Message, SignedIn } from '../schema.ts'
import { clientOf } from '../sessions/token-reply.ts'
import { errors } from './errors.ts'
import * as impersonation from './impersonation.ts'
import { Impersonation } from './schema.ts'

export const impersonate = route({
  method: 'POST',
  path: '/users/admin/users/{id}/impersonate',
  summary: 'Act as a user',
  description:
    'Answers an access token for a session of that user, for an hour and without a refresh token. It ends with the session it was opened from, and when you are no admin any more. What takes a session of one’s own (password, second factors, sessions, keys, ownership) is refused in it. Events and the audit name both of you, and the user sees the session in their list.',
  allow: 'users:impersonate',
  params: Type.Object({ id: Type.String({ format: 'uuid' }) }),
  body: Impersonation,
  body_limit_bytes: 16_384,
  replies: { 201: SignedIn },
  idempotent: 'claimed',
  errors: [userErrors.not_found, errors.impersonation_refused, authErrors.session_revoked],
  limits: [{ name: 'impersonate', quota: 60, window_s: 3_600, per: 'user' }],
  handler: async (ctx, { params, body, request }) =>
    reply({
      status: 201,
      headers: { 'cache-control': 'no-store' },
      body: await impersonation.start(ctx, params.id, body.reason, clientOf(request)),
    }),
})

export const endImpersonation = route({
  method: 'POST',
  path: '/auth/impersonation/end',
  summary: 'Stop acting as somebody else',
  description: 'Ends the session that calls, in which an admin acts as a user; its access token stops working at once.',
  allow: 'account:read',
  replies: { 200: Message },
  errors: [errors.not_impersonating],
  handler: async (ctx) => {
    await impersonation.stop(ctx)
    return { message: 'You are yourself again.' }
  },
})
