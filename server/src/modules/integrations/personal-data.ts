import type { PersonalData } from '../../platform/module.ts'
import { madeBy } from './store.ts'

export const personalData: PersonalData = {
  name: 'integrations',
  doc: 'The integrations that somebody made, without their configuration and credentials, which are the workspace’s.',
  read: (ctx, { id }) => madeBy(ctx.db, id),
}
