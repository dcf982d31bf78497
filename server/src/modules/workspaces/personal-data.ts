import type { PersonalData } from '../../platform/module.ts'
import { deleteInvitationsTo, invitationsOfPerson } from './invitations/store.ts'
import { workspacesOfPerson } from './store.ts'

export const personalData: readonly PersonalData[] = [
  {
    name: 'workspaces',
    doc: 'The workspaces that somebody belongs to, and their role there.',
    read: (ctx, { id }) => workspacesOfPerson(ctx.db, id),
  },
  {
    name: 'invitations',
    doc: 'The invitations that somebody has sent and nobody has answered yet.',
    read: (ctx, { id }) => invitationsOfPerson(ctx.db, id),
    erase: (tx, { email }) => deleteInvitationsTo(tx.db, email),
  },
]
