import { Type } from 'typebox'
import { pageOf, pageQuery } from '../../../platform/http/paging.ts'
import { route } from '../../../platform/http/route.ts'
import { errors as planErrors } from '../../plans/errors.ts'
import { errors } from '../errors.ts'
import { Member, MemberChange, Transfer, WorkspaceRole } from '../schema.ts'
import * as members from './members.ts'

const Id = Type.String({ format: 'uuid' })
const ofWorkspace = Type.Object({ id: Id })
const ofMember = Type.Object({ id: Id, user_id: Id })
const Message = Type.Object({ message: Type.String() }, { title: 'Message' })

export const listMembers = route({
  method: 'GET',
  path: '/workspaces/{id}/members',
  summary: 'Who belongs to a workspace',
  description: 'Ordered by when they joined.',
  allow: 'workspace:read',
  workspace: 'id',
  params: ofWorkspace,
  query: Type.Object({
    ...pageQuery,
    role: Type.Optional(WorkspaceRole),
    search: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'Found in name, username or address, whatever its case.' }),
    ),
  }),
  replies: { 200: pageOf(Member) },
  errors: [errors.not_found],
  handler: (ctx, { query }) => members.list(ctx, query),
})

export const putMember = route({
  method: 'PUT',
  path: '/workspaces/{id}/members/{user_id}',
  summary: 'Give a member another role',
  description:
    'Nobody gives or takes away a role above their own: only owners make and unmake owners. In force at once, on every session and key.',
  allow: 'workspace:manage',
  workspace: 'id',
  params: ofMember,
  body: MemberChange,
  replies: { 200: Member },
  errors: [errors.not_found, errors.member_not_found, errors.role_above_own, errors.last_owner, errors.personal, planErrors.limit_reached],
  handler: (ctx, { params, body }) => members.setRole(ctx, params.user_id, body.role),
})

export const deleteMember = route({
  method: 'DELETE',
  path: '/workspaces/{id}/members/{user_id}',
  summary: 'Remove a member',
  description: 'Their sessions and keys reach the workspace no more, at once. What they made stays.',
  allow: 'workspace:manage',
  workspace: 'id',
  params: ofMember,
  replies: { 200: Message },
  errors: [errors.not_found, errors.member_not_found, errors.role_above_own, errors.last_owner, errors.personal],
  handler: async (ctx, { params }) => {
    await members.remove(ctx, params.user_id)
    return { message: 'They are no member of the workspace any more.' }
  },
})

export const leaveWorkspace = route({
  method: 'POST',
  path: '/workspaces/{id}/leave',
  summary: 'Leave a workspace',
  allow: 'account:write',
  workspace: 'id',
  params: ofWorkspace,
  replies: { 200: Message },
  errors: [errors.not_found, errors.role_above_own, errors.last_owner, errors.personal],
  handler: async (ctx) => {
    await members.leave(ctx)
    return { message: 'You have left the workspace.' }
  },
})

export const transferWorkspace = route({
  method: 'POST',
  path: '/workspaces/{id}/transfer',
  summary: 'Hand a workspace over to another member',
  description: 'They become an owner, and you an admin.',
  allow: 'workspace:own',
  workspace: 'id',
  params: ofWorkspace,
  body: Transfer,
  replies: { 200: Member },
  errors: [errors.not_found, errors.member_not_found, errors.last_owner, errors.personal, planErrors.limit_reached],
  handler: (ctx, { body }) => members.transfer(ctx, body.user_id),
})
