import { defineErrors } from '../../platform/errors.ts'

export const errors = defineErrors('workspaces', {
  not_found: {
    status: 404,
    title: 'There is no such workspace',
    doc: 'The same for a workspace that does not exist, one that was deleted, and one the caller does not belong to.',
  },
  slug_taken: { status: 409, title: 'This slug belongs to another workspace', doc: 'Also one that the other workspace had before.' },
  too_many_slugs: {
    status: 409,
    title: 'The workspace has had too many slugs',
    doc: 'Webhook addresses with old slugs go on working, so each is kept; a workspace has at most ten. Take back one of its own.',
  },
  personal: {
    status: 409,
    title: 'This is not possible with a personal workspace',
    doc: "A personal workspace belongs to its user alone: nobody else joins it, and it goes with its user's account.",
  },
  last_owner: {
    status: 409,
    title: 'A workspace needs an owner',
    doc: 'Make somebody else an owner first. Owners whose account is switched off do not count.',
  },
  member_not_found: { status: 404, title: 'There is no such member of the workspace' },
  role_above_own: {
    status: 403,
    title: 'The role is above your own',
    doc: 'Nobody gives, changes or takes away a role above their own: only owners make and unmake owners.',
  },
  already_member: { status: 409, title: 'They are a member of the workspace already' },
  already_invited: { status: 409, title: 'The address has an invitation already', doc: 'Send it again, or take it back first.' },
  invitation_not_found: {
    status: 404,
    title: 'There is no such invitation',
    doc: 'The same for one that is unknown, was used, declined or taken back, has expired, or whose sender may not invite any more. Ask for a new one.',
  },
  invitation_for_another: {
    status: 403,
    title: 'The invitation is for another address',
    doc: 'Sign in to the account with the address that the mail went to, or ask for an invitation to yours.',
  },
  not_deleted: { status: 409, title: 'The workspace is not deleted' },
})
