/**
 * Collections for what comes and goes thousands of times a second.
 *
 * A `Map` or `Set` gets a new table each time as many entries were added as the old one had room for, and V8 links the old table to the new one.
 * Once one of them has grown old enough to wait for a full collection, it keeps every later table alive, and with it every entry
 * that has long been deleted: each short collection then copies all of them. Measured with webhooks at 64 clients: 8 to 30 ms for each of
 * those collections, five times a second, instead of 1 to 3 ms. What is here has no such links.
 */
export interface Register<Value> {
  readonly size: () => number
  readonly get: (key: string) => Value | undefined
  readonly has: (key: string) => boolean
  readonly set: (key: string, value: Value) => void
  readonly delete: (key: string) => void
  /** Those there are now, in no particular order. */
  readonly values: () => readonly Value[]
  readonly clear: () => void
}

/** Values by a key that is not a whole number. */
export const createRegister = <Value>(): Register<Value> => {
  const empty = (): { [key: string]: Value } => Object.create(null) as { [key: string]: Value }
  let entries = empty()
  let size = 0
  return {
    size: () => size,
    get: (key) => entries[key],
    has: (key) => key in entries,
    set: (key, value) => {
      if (!(key in entries)) size += 1
      entries[key] = value
    },
    delete: (key) => {
      if (!(key in entries)) return
      size -= 1
      // oxlint-disable-next-line typescript/no-dynamic-delete -- an object without a prototype, made to be one
      delete entries[key]
    },
    values: () => Object.values(entries),
    clear: () => {
      entries = empty()
      size = 0
    },
  }
}

export interface Roster<Value> {
  /** Answers the place that it takes, which is its own until it is removed. */
  readonly add: (value: Value) => number
  readonly remove: (place: number) => void
  /** Ends it: answers those there are. Nothing is added afterwards. */
  readonly drain: () => readonly Value[]
}

/** Values that are only ever removed by the one who added them, or all at once. */
export const createRoster = <Value extends object>(): Roster<Value> => {
  const places: (Value | null)[] = []
  const free: number[] = []
  return {
    add: (value) => {
      const place = free.pop() ?? places.length
      places[place] = value
      return place
    },
    remove: (place) => {
      if (places[place] === null || places[place] === undefined) return
      places[place] = null
      free.push(place)
    },
    drain: () => {
      const all = places.filter((value) => value !== null)
      places.length = 0
      free.length = 0
      return all
    },
  }
}
