import type { PersonalData } from '../../platform/module.ts'
import { decisionsBy } from './approvals/approvals.ts'
import { workflowsBy } from './store.ts'
import { templatesBy } from './templates/templates.ts'
import { variablesBy } from './variables/variables.ts'

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

export const variablesData: PersonalData = {
  name: 'variables',
  doc: 'The variables of workspaces that somebody was the last to set.',
  read: (ctx, { id }) => variablesBy(ctx, id),
}

export const templatesData: PersonalData = {
  name: 'templates',
  doc: 'The templates that somebody saved, with what they hold.',
  read: (ctx, { id }) => templatesBy(ctx, id),
}
