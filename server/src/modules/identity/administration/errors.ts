import { defineErrors } from '../../../platform/errors.ts'

export const errors = defineErrors('auth', {
  password_hash_unknown: { status: 422, title: 'This is no password hash that can be verified here' },
  password_twice: { status: 422, title: 'Give a password or its hash, not both' },
  sole_owner: {
    status: 409,
    title: 'The account is the only owner of a workspace that has other members',
    doc: 'Make somebody else an owner or delete the workspace; `workspaces` names them.',
  },
})
