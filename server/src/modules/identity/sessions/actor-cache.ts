/** What a request needs to know of the session or key that it shows, in memory. */
export interface CachedActor {
  /** What the request shows: a session's id, the public part of a key. */
  readonly id: string
  /** The users whose standing it depends on: its own, and whoever acts through it. */
  readonly user_ids: readonly string[]
}

export interface ActorCache<A extends CachedActor> {
  /** At once when it is in memory; null when it has ended or never was. `user_id` is whose the request says it is, where it says so. */
  readonly get: (id: string, user_id: string | null) => A | null | Promise<A | null>
  readonly forget: (id: string) => void
  readonly forgetUser: (user_id: string) => void
  readonly clear: () => void
  readonly size: () => number
}

/** An entry is read again after this long, in case word of a change never came. */
const maxAgeMs = 300_000

interface Kept<A> {
  readonly actor: A
  readonly read_at: number
}

/** Entries by their id and by the users they depend on; beyond `max` the least recently used goes. */
const createShelf = <A extends CachedActor>(max: number) => {
  const entries = new Map<string, Kept<A>>()
  const idsOfUser = new Map<string, Set<string>>()

  const drop = (id: string): void => {
    const entry = entries.get(id)
    if (entry === undefined) return
    entries.delete(id)
    for (const user_id of entry.actor.user_ids) {
      const ids = idsOfUser.get(user_id)
      ids?.delete(id)
      if (ids?.size === 0) idsOfUser.delete(user_id)
    }
  }
  const put = (entry: Kept<A>): void => {
    const { id, user_ids } = entry.actor
    drop(id)
    entries.set(id, entry)
    for (const user_id of user_ids) {
      const ids = idsOfUser.get(user_id)
      if (ids === undefined) idsOfUser.set(user_id, new Set([id]))
      else ids.add(id)
    }
    if (entries.size > max) drop(entries.keys().next().value as string)
  }
  return {
    take: (id: string): Kept<A> | undefined => {
      const entry = entries.get(id)
      if (entry === undefined) return undefined
      // To the young end of the map's order.
      entries.delete(id)
      entries.set(id, entry)
      return entry
    },
    put,
    drop,
    dropUser: (user_id: string): void => [...(idsOfUser.get(user_id) ?? [])].forEach(drop),
    clear: (): void => {
      entries.clear()
      idsOfUser.clear()
    },
    size: (): number => entries.size,
  }
}

interface Loading<A> {
  readonly user_id: string | null
  readonly result: Promise<A | null>
}

/**
 * The sessions, or keys, that this process has seen. Each is read once, however many requests wait for it.
 *
 * A read that was under way when its entry was forgotten serves those who waited, whose requests came before the change, and is not kept.
 * Whose it is and who acts through it is known when it is there, so until then forgetting any user counts. `load` says null for what is not
 * worth remembering.
 */
export const createActorCache = <A extends CachedActor>(options: {
  readonly load: (id: string, user_id: string | null) => Promise<A | null>
  readonly now: () => number
  readonly max: number
}): ActorCache<A> => {
  const shelf = createShelf<A>(options.max)
  const loading = new Map<string, Loading<A>>()

  const load = (id: string, user_id: string | null): Promise<A | null> => {
    const under_way = loading.get(id)
    if (under_way !== undefined && under_way.user_id === user_id) return under_way.result
    const read_at = options.now()
    const read = async (): Promise<A | null> => {
      try {
        const actor = await options.load(id, user_id)
        if (actor !== null && loading.get(id)?.result === result) shelf.put({ actor, read_at })
        return actor
      } finally {
        if (loading.get(id)?.result === result) loading.delete(id)
      }
    }
    const result = read()
    loading.set(id, { user_id, result })
    return result
  }

  return {
    get: (id, user_id) => {
      const entry = shelf.take(id)
      if (entry === undefined || options.now() - entry.read_at > maxAgeMs) return load(id, user_id)
      return user_id === null || entry.actor.user_ids[0] === user_id ? entry.actor : load(id, user_id)
    },
    forget: (id) => {
      loading.delete(id)
      shelf.drop(id)
    },
    forgetUser: (user_id) => {
      loading.clear()
      shelf.dropUser(user_id)
    },
    clear: () => {
      loading.clear()
      shelf.clear()
    },
    size: shelf.size,
  }
}
