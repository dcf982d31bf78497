import { route } from '../../platform/http/route.ts'
import { errors } from './errors.ts'
import { ProfileChange, User } from './schema.ts'
import * as users from './users.ts'

export const getProfile = route({
  method: 'GET',
  path: '/users/profile',
  summary: 'Read your own account',
  allow: 'account:read',
  etag: true,
  replies: { 200: User },
  handler: (ctx) => users.profile(ctx),
})

export const putProfile = route({
  method: 'PUT',
  path: '/users/profile',
  summary: 'Change your own account',
  description:
    'A field that is given replaces the stored one whole, `settings` too; a field that is not given stays. Role, plan and status are not yours to change.',
  allow: 'account:write',
  etag: true,
  body: ProfileChange,
  body_limit_bytes: 131_072,
  replies: { 200: User },
  errors: [errors.username_taken, errors.settings_too_large],
  handler: (ctx, { body, request }) => users.updateProfile(ctx, body, request.if_match),
})
