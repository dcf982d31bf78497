import type { PersonalData } from '../../platform/module.ts'
import { decisionsBy } from './approvals/approvals.ts'
import { workflowsBy } from './store.ts'

export const personalData: PersonalData = {
  name: 'workflows',
  doc: 'The workflows that somebody made, with their drafts.',
  read: (ctx, { id }) => workflowsBy(ctx.db, id),
}

export const decisionsData: PersonalData = {
  name: 'decisions',
  doc: 'What somebody has decided for workflows that asked.',
  read: (ctx, { id }) => decisionsBy(ctx, id),
}
