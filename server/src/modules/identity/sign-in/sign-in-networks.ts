import type { App, TxCtx } from '../../../platform/context.ts'
import * as users from '../../users/users.ts'
import { nobody } from '../accounts.ts'
import { iso } from '../../../lib/iso.ts'
import { networkOf } from '../../../lib/network.ts'
import * as store from './sign-in-network-store.ts'

const kept_ms = 90 * 86_400_000
const most = 200

/** Notes where an account is used by its owner, in the transaction that made sure of them; in the system's scope. */
export const rememberNetwork = async (tx: TxCtx, user_id: string, address: string | null): Promise<void> => {
  const network = networkOf(address)
  if (network === '') return
  const now = tx.now()
  await store.putNetwork(tx.db, { user_id, network, now: iso(now), oldest: iso(now - kept_ms), most })
}

/** Whoever was there before is at home nowhere any more; in the system's scope. */
export const forgetNetworks = (tx: TxCtx, user_id: string): Promise<void> => store.deleteNetworks(tx.db, user_id)

/**
 * Whether the account of an address was signed in to from this network within 90 days, or has a session there. The same queries run for an
 * address that has no account, which is at home nowhere.
 */
export const isKnownNetwork = async (app: App, email: string, network: string): Promise<boolean> => {
  const ctx = app.asSystem('look up where somebody signs in from')
  const user_id = (await users.byEmail(ctx, email))?.id ?? nobody
  const [seen, addresses] = await Promise.all([
    store.hasNetwork(ctx.db, user_id, network, iso(ctx.now() - kept_ms)),
    store.addressesOfSessions(ctx.db, user_id, iso(ctx.now())),
  ])
  return seen || addresses.some((address) => networkOf(address) === network)
}
