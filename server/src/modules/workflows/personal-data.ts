import type { PersonalData } from '../../platform/module.ts'
import { workflowsBy } from './store.ts'

export const personalData: PersonalData = {
  name: 'workflows',
  doc: 'The workflows that somebody made, with their drafts.',
  read: (ctx, { id }) => workflowsBy(ctx.db, id),
}
