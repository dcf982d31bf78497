import type { PersonalData } from '../../platform/module.ts'
import { workspacesOfPerson } from './store.ts'

export const personalData: PersonalData = {
  name: 'workspaces',
  doc: 'The workspaces that somebody belongs to, and their role there.',
  read: (ctx, { id }) => workspacesOfPerson(ctx.db, id),
}
