/** What a request needs to know of its session, in memory. */
export interface CachedSession {
  readonly session_id: string
  readonly user_id: string
}

export interface SessionCache<S extends CachedSession> {
  /** The session, at once when it is in memory; null when it has ended or never was. */
  readonly get: (session_id: string, user_id: string) => S | null | Promise<S | null>
  readonly forgetSession: (session_id: string) => void
  readonly forgetUser: (user_id: string) => void
  readonly clear: () => void
  readonly size: () => number
}

/** An entry is read again after this long, in case word of a change never came. */
const maxAgeMs = 300_000

/**
 * The sessions of this process, least recently used out first. Each is read once, however many requests wait for it.
 *
 * A read that was under way when its session was forgotten serves those who waited, whose requests came before the change, and is not
 * kept. Ended sessions are not kept either: only a correctly signed token leads to a read, and it expires within the hour.
 */
export const createSessionCache = <S extends CachedSession>(options: {
  readonly load: (session_id: string, user_id: string) => Promise<S | null>
  readonly now: () => number
  readonly max: number
}): SessionCache<S> => {
  const entries = new Map<string, { readonly session: S; readonly read_at: number }>()
  const sessionsOfUser = new Map<string, Set<string>>()
  const loading = new Map<string, { readonly user_id: string; readonly result: Promise<S | null> }>()

  const drop = (session_id: string): void => {
    const entry = entries.get(session_id)
    if (entry === undefined) return
    entries.delete(session_id)
    const siblings = sessionsOfUser.get(entry.session.user_id)
    siblings?.delete(session_id)
    if (siblings?.size === 0) sessionsOfUser.delete(entry.session.user_id)
  }

  const keep = (session: S, read_at: number): void => {
    drop(session.session_id)
    entries.set(session.session_id, { session, read_at })
    const siblings = sessionsOfUser.get(session.user_id)
    if (siblings === undefined) sessionsOfUser.set(session.user_id, new Set([session.session_id]))
    else siblings.add(session.session_id)
    if (entries.size > options.max) drop(entries.keys().next().value as string)
  }

  const load = (session_id: string, user_id: string): Promise<S | null> => {
    const under_way = loading.get(session_id)
    if (under_way !== undefined && under_way.user_id === user_id) return under_way.result
    const read_at = options.now()
    const result = options.load(session_id, user_id).then(
      (session) => {
        if (loading.get(session_id)?.result === result) {
          loading.delete(session_id)
          if (session !== null) keep(session, read_at)
        }
        return session
      },
      (error: unknown) => {
        if (loading.get(session_id)?.result === result) loading.delete(session_id)
        throw error
      },
    )
    loading.set(session_id, { user_id, result })
    return result
  }

  return {
    get: (session_id, user_id) => {
      const entry = entries.get(session_id)
      if (entry === undefined || entry.session.user_id !== user_id || options.now() - entry.read_at > maxAgeMs) return load(session_id, user_id)
      // To the young end of the map's order.
      entries.delete(session_id)
      entries.set(session_id, entry)
      return entry.session
    },
    forgetSession: (session_id) => {
      loading.delete(session_id)
      drop(session_id)
    },
    forgetUser: (user_id) => {
      for (const [session_id, { user_id: owner }] of loading) if (owner === user_id) loading.delete(session_id)
      for (const session_id of [...(sessionsOfUser.get(user_id) ?? [])]) drop(session_id)
    },
    clear: () => {
      loading.clear()
      entries.clear()
      sessionsOfUser.clear()
    },
    size: () => entries.size,
  }
}
