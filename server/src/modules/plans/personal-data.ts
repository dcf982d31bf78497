import type { PersonalData } from '../../platform/module.ts'
import { noticesOf, removeNoticesOf } from './store.ts'

export const personalData: PersonalData = {
  name: 'plan_limits',
  doc: 'Limits of their own plan that somebody has reached in the last two months.',
  read: (ctx, { id }) => noticesOf(ctx.db, id),
  erase: (tx, { id }) => removeNoticesOf(tx.db, id),
}
