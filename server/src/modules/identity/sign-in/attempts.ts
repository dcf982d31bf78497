import type { App } from '../../../platform/context.ts'
import { type Count, counters } from '../../../platform/counters/counters.ts'
import { defineService } from '../../../platform/service.ts'
import { busy } from '../errors.ts'
import { networkOf } from '../../../lib/network.ts'
import { isKnownNetwork } from './sign-in-networks.ts'

export interface Attempts {
  /**
   * Looks at a password, unless there were too many wrong ones; `look` answers null for a wrong one. The try counts before it is looked at, so
   * that many at once cannot slip past, and is given back when it was right or could not be looked at. Errors: 429
   * `identity.too_many_attempts`, 429 `identity.account_guarded`, and what `look` throws.
   */
  readonly attempt: <Found>(email: string, address: string | null, look: () => Promise<Found | null>) => Promise<Found | null>
}

/**
 * At one account from one network. Who mistypes needs a handful; a guesser gets 80 an hour, which finds no password that the policy
 * lets through.
 */
const here = { tries: 20, window_s: 900 }

/** At all accounts from one network: one common password tried on many. An office behind one address does not mistype so often. */
const spray = { tries: 100, window_s: 900 }

/** At one account from all networks. More than one network can reach by itself, so it takes a crowd to get here. */
const crowd = { tries: 100, window_s: 3_600 }

/**
 * Wrong passwords, counted in three ways. A guesser is stopped where they are, and so is who tries one password on many accounts. While a
 * crowd guesses at one account, its owner goes on from where they were signed in lately, and from elsewhere with a link by mail: nobody
 * can lock somebody else out. An address that has no account counts just the same.
 */
export const attempts = defineService<Attempts>({
  name: 'identity.attempts',
  create: (app) => {
    const store = app.use(counters)
    const byPair = store.counter('sign-in', here.window_s)
    const byNetwork = store.counter('sign-in:network', spray.window_s)
    const byAccount = store.counter('sign-in:account', crowd.window_s)
    const count = async (email: string, network: string): Promise<void> => {
      // One after the other: what is refused here is not held against the account by a single network.
      refuseBeyond(here.tries, await byPair.add(`${email}|${network}`))
      refuseBeyond(spray.tries, await byNetwork.add(network))
      const all = await byAccount.add(email)
      if (all.used > crowd.tries) await refuseStranger(app, email, network, all)
    }
    /** One try each; of an account of one's own the others must not be wiped out. */
    const giveBack = async (email: string, network: string): Promise<void> => {
      await Promise.all([byPair.add(`${email}|${network}`, -1), byNetwork.add(network, -1), byAccount.add(email, -1)])
    }
    return {
      attempt: async (email, address, look) => {
        const network = networkOf(address)
        await count(email, network)
        const found = await look().catch(async (error: unknown) => {
          // The server was too busy, or the database away: nothing was guessed.
          await giveBack(email, network)
          throw error
        })
        if (found === null) return null
        await giveBack(email, network)
        // Who knows the password has nothing to guess.
        await byPair.reset(`${email}|${network}`)
        return found
      },
    }
  },
})

const waiting = ({ reset_ms }: Count) => ({ headers: { 'retry-after': String(Math.max(1, Math.ceil(reset_ms / 1_000))) } })

const refuseBeyond = (tries: number, count: Count): void => {
  if (count.used > tries) throw busy.too_many_attempts(waiting(count))
}

const refuseStranger = async (app: App, email: string, network: string, count: Count): Promise<void> => {
  if (!(await isKnownNetwork(app, email, network))) throw busy.account_guarded(waiting(count))
}
