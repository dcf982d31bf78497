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

interface Kept<S> {
  readonly session: S
  readonly read_at: number
}

/** Sessions by their id and by their user; beyond `max` the least recently used goes. */
const createShelf = <S extends CachedSession>(max: number) => {
  const entries = new Map<string, Kept<S>>()
  const sessionsOfUser = new Map<string, Set<string>>()

  const drop = (session_id: string): void => {
    const entry = entries.get(session_id)
    if (entry === undefined) return
    entries.delete(session_id)
    const siblings = sessionsOfUser.get(entry.session.user_id)
    siblings?.delete(session_id)
    if (siblings?.size === 0) sessionsOfUser.delete(entry.session.user_id)
  }
  const put = (entry: Kept<S>): void => {
    const { session_id, user_id } = entry.session
    drop(session_id)
    entries.set(session_id, entry)
    const siblings = sessionsOfUser.get(user_id)
    if (siblings === undefined) sessionsOfUser.set(user_id, new Set([session_id]))
    else siblings.add(session_id)
    if (entries.size > max) drop(entries.keys().next().value as string)
  }
  return {
    take: (session_id: string): Kept<S> | undefined => {
      const entry = entries.get(session_id)
      if (entry === undefined) return undefined
      // To the young end of the map's order.
      entries.delete(session_id)
      entries.set(session_id, entry)
      return entry
    },
    put,
    drop,
    dropUser: (user_id: string): void => [...(sessionsOfUser.get(user_id) ?? [])].forEach(drop),
    clear: (): void => {
      entries.clear()
      sessionsOfUser.clear()
    },
    size: (): number => entries.size,
  }
}

/**
 * The sessions of this process. Each is read once, however many requests wait for it.
 *
 * A read that was under way when its session was forgotten serves those who waited, whose requests came before the change, and is
 * not kept. Ended sessions are not kept either: only a correctly signed token leads to a read, and it expires within the hour.
 */
export const createSessionCache = <S extends CachedSession>(options: {
  readonly load: (session_id: string, user_id: string) => Promise<S | null>
  readonly now: () => number
  readonly max: number
}): SessionCache<S> => {
  const shelf = createShelf<S>(options.max)
  const loading = new Map<string, { readonly user_id: string; readonly result: Promise<S | null> }>()

  const load = (session_id: string, user_id: string): Promise<S | null> => {
    const under_way = loading.get(session_id)
    if (under_way !== undefined && under_way.user_id === user_id) return under_way.result
    const read_at = options.now()
    const read = async (): Promise<S | null> => {
      try {
        const session = await options.load(session_id, user_id)
        if (session !== null && loading.get(session_id)?.result === result) shelf.put({ session, read_at })
        return session
      } finally {
        if (loading.get(session_id)?.result === result) loading.delete(session_id)
      }
    }
    const result = read()
    loading.set(session_id, { user_id, result })
    return result
  }

  return {
    get: (session_id, user_id) => {
      const entry = shelf.take(session_id)
      const good = entry !== undefined && entry.session.user_id === user_id && options.now() - entry.read_at <= maxAgeMs
      return good ? entry.session : load(session_id, user_id)
    },
    forgetSession: (session_id) => {
      loading.delete(session_id)
      shelf.drop(session_id)
    },
    forgetUser: (user_id) => {
      for (const [session_id, { user_id: owner }] of loading) if (owner === user_id) loading.delete(session_id)
      shelf.dropUser(user_id)
    },
    clear: () => {
      loading.clear()
      shelf.clear()
    },
    size: shelf.size,
  }
}
