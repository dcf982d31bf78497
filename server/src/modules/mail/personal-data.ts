import type { App } from '../../platform/context.ts'
import type { PersonalData } from '../../platform/module.ts'
import { mailsOf, removeOf, removeOfWorkspace } from './store.ts'

export const personalData: PersonalData = {
  name: 'mails',
  doc: 'Mails of the last thirty days about the account: to whom, when, the subject. What stood in them is not kept.',
  read: (ctx, { id }) => mailsOf(ctx.db, id),
  erase: (tx, person) => removeOf(tx.db, person),
}

/** The mails of a workspace that is no more. */
export const removeWorkspace = async (app: App, workspace_id: string): Promise<boolean> => {
  await app.asSystem('mails go with their workspace').tx((tx) => removeOfWorkspace(tx.db, workspace_id))
  return true
}
