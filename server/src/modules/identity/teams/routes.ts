import { Type } from 'typebox'
import { route } from '../../../platform/http/route.ts'
import { errors as planErrors } from '../../plans/errors.ts'
import { errors as userErrors } from '../../users/errors.ts'
import { errors as workspaceErrors } from '../../workspaces/errors.ts'
import { busy, errors } from '../errors.ts'
import { SignedIn } from '../schema.ts'
import { clientOf, signedIn } from '../sessions/token-reply.ts'
import { InvitedLogin, InvitedRegistration, Switched } from './schema.ts'
import * as teams from './teams.ts'

const body_limit_bytes = 16_384

export const switchWorkspace = route({
  method: 'POST',
  path: '/workspaces/{id}/switch',
  summary: 'Work in another workspace from now on',
  description:
    'The session stays; the access token that comes back starts in that workspace, and so do those of later refreshes. A session whose workspace is gone goes on in the personal one. For a single request there is `X-Workspace-Id`.',
  allow: 'workspace:read',
  workspace: 'id',
  params: Type.Object({ id: Type.String({ format: 'uuid' }) }),
  replies: { 200: Switched },
  errors: [workspaceErrors.not_found],
  handler: (ctx) => teams.switchTo(ctx),
})

export const registerInvited = route({
  method: 'POST',
  path: '/invitations/register',
  summary: 'Make an account with an invitation, and join',
  description:
    'For the address that the mail went to, which counts as confirmed; also where registration is closed. The session starts in the workspace that you are invited to.',
  allow: 'public',
  body: InvitedRegistration,
  body_limit_bytes,
  replies: { 201: SignedIn },
  idempotent: 'claimed',
  errors: [
    workspaceErrors.invitation_not_found,
    errors.password_weak,
    userErrors.email_taken,
    userErrors.username_taken,
    planErrors.limit_reached,
    busy.busy,
  ],
  limits: [{ name: 'register-invited', quota: 60, window_s: 3_600, per: 'address' }],
  handler: async (ctx, { body, request }) => signedIn(201, await teams.register(ctx, body, clientOf(request)), body.use_cookie === true),
})

export const signInInvited = route({
  method: 'POST',
  path: '/invitations/sign-in',
  summary: 'Sign in with an invitation, and join',
  description: 'To the account of the address that the mail went to, with its password and, where it has one, its second factor.',
  allow: 'public',
  body: InvitedLogin,
  body_limit_bytes,
  replies: { 200: SignedIn },
  errors: [
    workspaceErrors.invitation_not_found,
    workspaceErrors.already_member,
    errors.invalid_credentials,
    planErrors.limit_reached,
    busy.too_many_attempts,
    busy.busy,
  ],
  limits: [{ name: 'sign-in-invited', quota: 60, window_s: 60, per: 'address' }],
  handler: async (ctx, { body, request }) => signedIn(200, await teams.signIn(ctx, body, clientOf(request)), body.use_cookie === true),
})
