import type { App } from '../../../platform/context.ts'
import { type Outbound } from '../../../platform/outbound/outbound.ts'
import { errors } from './errors.ts'
import { type PublishedKey, readKeys, type Verify } from './published-keys.ts'

/** Read again after so long, so that a key that its issuer took back is not good for ever. */
const maxAgeMs = 600_000
/** Kept beyond that while the issuer cannot be reached. */
const staleMs = 86_400_000
/** Anybody can make up the name of a key: an unknown one leads to a request so often and no more. */
const coolDownMs = 30_000
const retryMs = 5_000
const timeout_ms = 5_000
const max_bytes = 262_144

export interface KeySource {
  /**
   * The key that a token names, at once when it is in memory; null when the issuer has none that fits. Without a name it is the only one that
   * fits. Errors: 503 `auth.issuer_unavailable`.
   */
  readonly find: (kid: string | null, alg: unknown) => Verify | null | Promise<Verify | null>
}

/** The keys that an issuer publishes: read when they are first needed, and again when they are old or a token names another. */
export const keySource = (app: App, url: string, outbound: Outbound): KeySource => {
  let keys: readonly PublishedKey[] = []
  let read_at = Number.NEGATIVE_INFINITY
  let may_ask_at = Number.NEGATIVE_INFINITY
  let loading: Promise<void> | null = null

  const load = async (): Promise<void> => {
    try {
      const answer = await outbound.request({
        method: 'GET',
        url,
        headers: { accept: 'application/json' },
        timeout_ms,
        max_bytes,
        max_redirects: 0,
      })
      if (answer.status !== 200) throw new Error(`The issuer answered ${answer.status}.`)
      keys = readKeys(JSON.parse(answer.body.toString()))
      read_at = app.now()
      may_ask_at = app.now() + coolDownMs
    } catch (error) {
      may_ask_at = app.now() + retryMs
      app.log.warn({ err: error, url }, 'the keys of an issuer of access tokens cannot be read')
    } finally {
      loading = null
    }
  }
  const reload = (): Promise<void> | null => (loading ??= app.now() >= may_ask_at ? load() : null)

  const afterwards = async (waiting: Promise<void> | null, kid: string | null, alg: unknown): Promise<Verify | null> => {
    await waiting
    const found = app.now() - read_at < staleMs ? choose(keys, kid, alg) : null
    if (found === null && app.now() - read_at >= maxAgeMs) throw errors.issuer_unavailable({ headers: { 'retry-after': '5' } })
    return found
  }
  return {
    find: (kid, alg) => {
      const found = choose(keys, kid, alg)
      const age = app.now() - read_at
      if (found !== null && age < staleMs) {
        // The request need not wait for the next one.
        if (age >= maxAgeMs) void reload()
        return found
      }
      return afterwards(reload(), kid, alg)
    },
  }
}

const choose = (keys: readonly PublishedKey[], kid: string | null, alg: unknown): Verify | null => {
  const fitting = keys.filter((key) => (kid === null || key.kid === kid) && key.algorithms.includes(alg as string))
  return fitting.length === 1 ? (fitting[0] as PublishedKey).verify : null
}
