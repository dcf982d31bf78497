import type { TxCtx } from '../../../platform/context.ts'
import { identityUnlinked } from './events.ts'
import * as store from './store.ts'

/** Takes every identity away from an account, in the transaction of what is done to it. Needs the system's scope. */
export const removeIdentities = async (tx: TxCtx, user_id: string): Promise<void> => {
  for (const { id, issuer, subject, provider, email } of await store.removeAll(tx.db, user_id))
    tx.emit(identityUnlinked, { identity_id: id, user_id, issuer, subject, provider }, { before: { issuer, subject, provider, email } })
}
