import { Type } from 'typebox'
import { httpErrors } from '../../../platform/http/errors.ts'
import { pageOf } from '../../../platform/http/paging.ts'
import { route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { Email, ProfileChange, User } from '../schema.ts'
import * as administration from './administration.ts'
import { PlanChange, RoleChange, SystemStatistics, UserFilter, UserStatistics } from './schema.ts'
import * as statistics from './statistics.ts'

const Id = Type.Object({ id: Type.String({ format: 'uuid' }) })

export const listUsers = route({
  method: 'GET',
  path: '/users',
  summary: 'Every account of the installation',
  description: 'Ordered by when they were made.',
  allow: 'users:read',
  query: UserFilter,
  replies: { 200: pageOf(User) },
  handler: (ctx, { query }) => administration.list(ctx, query),
})

export const listUsersAsAdmin = route({
  method: 'GET',
  path: '/users/admin/users',
  summary: 'Every account of the installation',
  description: 'The same as `GET /users`, at the address that older clients know.',
  allow: 'users:read',
  query: UserFilter,
  replies: { 200: pageOf(User) },
  handler: (ctx, { query }) => administration.list(ctx, query),
})

export const getUser = route({
  method: 'GET',
  path: '/users/{id}',
  summary: 'One account',
  description: 'Your own; every one with the permission `users:read`.',
  allow: 'account:read',
  etag: true,
  params: Id,
  replies: { 200: User },
  errors: [errors.not_found],
  handler: (ctx, { params }) => administration.get(ctx, params.id.toLowerCase()),
})

export const getUserByEmail = route({
  method: 'GET',
  path: '/users/email/{email}',
  summary: 'The account with an e-mail address',
  description: 'Your own; every one with the permission `users:read`.',
  allow: 'account:read',
  etag: true,
  params: Type.Object({ email: Email }),
  replies: { 200: User },
  errors: [errors.not_found],
  handler: (ctx, { params }) => administration.getByEmail(ctx, params.email),
})

export const putUser = route({
  method: 'PUT',
  path: '/users/{id}',
  summary: 'Change the profile of an account',
  description: 'Your own; every one with the permission `users:manage`. Role, plan and status have addresses of their own.',
  allow: 'account:write',
  etag: true,
  params: Id,
  body: ProfileChange,
  body_limit_bytes: 131_072,
  replies: { 200: User },
  errors: [errors.not_found, errors.username_taken, errors.settings_too_large, httpErrors.precondition_failed],
  handler: (ctx, { params, body, request }) => administration.update(ctx, params.id.toLowerCase(), body, request.if_match),
})

export const putRole = route({
  method: 'PUT',
  path: '/users/admin/users/{id}/role',
  summary: 'Make somebody an admin or an ordinary user',
  description: 'Counts at their next request. Nobody changes their own role, and there is always an admin.',
  allow: 'users:manage',
  etag: true,
  params: Id,
  body: RoleChange,
  replies: { 200: User },
  errors: [errors.not_found, errors.own_role, errors.last_admin, httpErrors.precondition_failed],
  handler: (ctx, { params, body, request }) => administration.setRole(ctx, params.id.toLowerCase(), body, request.if_match),
})

export const putPlan = route({
  method: 'PUT',
  path: '/users/admin/users/{id}/plan',
  summary: 'Put an account on a plan',
  description: 'Counts at their next request.',
  allow: 'users:manage',
  etag: true,
  params: Id,
  body: PlanChange,
  replies: { 200: User },
  errors: [errors.not_found, httpErrors.precondition_failed],
  handler: (ctx, { params, body, request }) => administration.setPlan(ctx, params.id.toLowerCase(), body.plan, request.if_match),
})

export const profileStatistics = route({
  method: 'GET',
  path: '/users/profile/stats',
  summary: 'What you have done so far, in figures',
  allow: 'account:read',
  replies: { 200: UserStatistics },
  handler: (ctx) => statistics.ofCaller(ctx),
})

export const systemStatistics = route({
  method: 'GET',
  path: '/users/admin/stats',
  summary: 'The installation in figures',
  allow: 'users:read',
  replies: { 200: SystemStatistics },
  handler: (ctx) => statistics.ofInstallation(ctx),
})
