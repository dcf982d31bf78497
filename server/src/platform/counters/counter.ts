/** What has been counted under a key in the window that runs. */
export interface Count {
  readonly used: number
  /** Until the window ends and the count begins anew. */
  readonly reset_ms: number
}

/** Counts by key in windows of one length, each of which begins with its first count. */
export interface Counter {
  /** Adds, by default one, and answers what there is then. A negative amount gives back. */
  readonly add: (key: string, amount?: number) => Promise<Count>
  /** What there is, without a count. */
  readonly read: (key: string) => Promise<Count>
  /** Begins anew. */
  readonly reset: (key: string) => Promise<void>
}

/** Counters that several processes share. Their calls reject, soon, while the store is away. */
export interface SharedStore {
  readonly name: 'postgres' | 'redis'
  readonly counter: (name: string, window_s: number) => Counter
  /** Waits for the first connection, but not long: without it the server starts as well. */
  readonly open: () => Promise<void>
  readonly close: () => Promise<void>
}
