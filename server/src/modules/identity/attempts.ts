import { counters } from '../../platform/counters/counters.ts'
import { defineService } from '../../platform/service.ts'
import { busy } from './errors.ts'

export interface Attempts {
  /** Counts a try before the password is looked at, so that many at once cannot slip past. 429 `identity.too_many_attempts`. */
  readonly begin: (email: string, address: string | null) => Promise<void>
  /** Gives the try back: the password was right. */
  readonly succeeded: (email: string, address: string | null) => Promise<void>
}

const tries = 20
const window_s = 900

/**
 * Wrong passwords per account and address together: who guesses is stopped where they are, and the owner of the account, who is
 * elsewhere, never is. An address that has no account counts just the same.
 */
export const attempts = defineService<Attempts>({
  name: 'identity.attempts',
  create: (app) => {
    const counter = app.use(counters).counter('sign-in', window_s)
    const keyOf = (email: string, address: string | null): string => `${email}|${networkOf(address)}`
    return {
      begin: async (email, address) => {
        const { used, reset_ms } = await counter.add(keyOf(email, address))
        if (used <= tries) return
        throw busy.too_many_attempts({ headers: { 'retry-after': String(Math.max(1, Math.ceil(reset_ms / 1000))) } })
      },
      succeeded: async (email, address) => {
        await counter.add(keyOf(email, address), -1)
      },
    }
  },
})

/** One person has a whole /64 of IPv6, so that counts as one address. */
export const networkOf = (address: string | null): string => {
  if (address === null || !address.includes(':')) return address ?? ''
  if (address.includes('.')) return address.slice(address.lastIndexOf(':') + 1)
  const [head = '', tail] = address.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = tail === undefined ? 0 : 8 - groups.length - rest.length
  return [...groups, ...Array<string>(Math.max(0, missing)).fill('0'), ...rest]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
}
