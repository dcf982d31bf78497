import { availableParallelism } from 'node:os'
import { onePerTurn } from '../../../lib/turns.ts'
import { hashPassword, nobodysHash, verifyPassword } from './password-hash.ts'
import { busy } from '../errors.ts'
import { defineService } from '../../../platform/service.ts'

/** New hashes are refused once the ones waiting would take longer than this. */
const maxBacklogMs = 1_000

type Verify = (password: string, hash: string | null) => Promise<boolean>

export interface HashPool {
  /** Throws 503 `identity.busy` at once when the queue is too long. */
  readonly hash: (password: string) => Promise<string>
  /** Against null it computes a hash that matches nothing, and takes as long as for an account that exists. */
  readonly verify: Verify
  /**
   * Does what comes before a password can be verified, in a place of the queue: who finds none is told so before anything is looked up. One
   * begins in each turn of the event loop, so that when everybody signs in at once other requests are answered in between.
   */
  readonly inLine: <T>(work: (verify: Verify) => Promise<T>) => Promise<T>
  /** Hashes computed since the start, of either kind. */
  readonly computed: () => number
  /** Resolves when nothing is being computed or waiting. */
  readonly idle: () => Promise<void>
}

/**
 * A bounded queue in front of argon2id. A hash takes 15–40 ms of a core and 19 MiB and runs on one of libuv's four
 * threads, which files and name look-ups use too: at most `concurrency` run at a time, the rest wait here, and what could not be
 * served within a second is told so at once instead of timing out later.
 */
export const createHashPool = (options: { readonly concurrency: number; readonly first_guess_ms?: number }): HashPool => {
  const waiting: (() => void)[] = []
  const inTurn = onePerTurn()
  const nobody = nobodysHash()
  let running = 0
  /** Have a place, and no password to verify yet. */
  let entering = 0
  let computed = 0
  // Moving average of one hash, so that the limit means a second on any machine.
  let average = options.first_guess_ms ?? 40
  const idlers: (() => void)[] = []

  const requireRoom = (): void => {
    const backlog = ((entering + running + waiting.length) * average) / options.concurrency
    if (entering + running >= options.concurrency && backlog > maxBacklogMs)
      throw busy.busy({ headers: { 'retry-after': String(Math.ceil(backlog / 1000)) } })
  }
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= options.concurrency) await new Promise<void>((resolve) => waiting.push(resolve))
    else running += 1
    const started = performance.now()
    try {
      return await work()
    } finally {
      computed += 1
      average += (performance.now() - started - average) / 16
      const next = waiting.shift()
      // The place is handed on, so `running` stays as it is and nobody slips in between.
      if (next !== undefined) next()
      else if (--running === 0) for (const resolve of idlers.splice(0)) resolve()
    }
  }

  const verify: Verify = (password, hash) => run(async () => (await verifyPassword(password, hash ?? nobody)) && hash !== null)

  return {
    hash: async (password) => {
      requireRoom()
      return run(() => hashPassword(password))
    },
    verify: async (password, hash) => {
      requireRoom()
      return verify(password, hash)
    },
    inLine: async (work) => {
      await new Promise<void>(inTurn)
      requireRoom()
      entering += 1
      let entered = false
      const enter = (): void => {
        if (!entered) entering -= 1
        entered = true
      }
      try {
        return await work((password, hash) => {
          enter()
          return verify(password, hash)
        })
      } finally {
        enter()
      }
    },
    computed: () => computed,
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => idlers.push(resolve))),
  }
}

/**
 * Two at a time on two cores, three on more, so that one thread of libuv's four is always left to files and name look-ups. Measured with
 * 4 and 16 clients signing in and 200 reads/s beside them, on 2 cores with a load of 3–5 from other work: one at a time made 30–39
 * sign-ins/s (p99 of the reads 23–41 ms), two made 33–50 (16–91 ms); the reads alone had a p99 of 2–46 ms there. Giving the threads a lower
 * priority changed nothing beyond the noise.
 */
export const hashPool = defineService({
  name: 'identity.hash_pool',
  create: () => createHashPool({ concurrency: Math.min(3, availableParallelism()) }),
  stop: (pool) => pool.idle(),
})
