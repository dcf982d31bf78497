import type { App } from '../../../platform/context.ts'
import { defineService } from '../../../platform/service.ts'
import { noteUses, type Use } from './store.ts'

export interface KeyUses {
  /** Notes that a request showed a key, for later. Costs a look into a map unless the key was last noted a minute ago. */
  readonly note: (key_id: string, address: string) => void
  /** Writes what was noted; resolves when all that was noted before is written. */
  readonly flush: () => Promise<void>
}

const every_ms = 60_000
const gather_ms = 5_000

/** When each key was used last: written for many keys at a time, beside the requests, and when the server stops. */
export const keyUses = defineService<KeyUses>({
  name: 'identity.api_key_uses',
  create: (app) => {
    const noted = new Map<string, Use>()
    /** When each key was noted last, within the minute; Unix milliseconds. */
    const recent = new Map<string, number>()
    let timer: NodeJS.Timeout | null = null
    let writing: Promise<void> = Promise.resolve()
    const flush = (): Promise<void> => {
      if (timer !== null) clearTimeout(timer)
      timer = null
      const uses = [...noted.values()]
      noted.clear()
      for (const [key_id, at] of recent) if (app.now() - at >= every_ms) recent.delete(key_id)
      if (uses.length > 0) writing = writing.then(() => write(app, uses))
      return writing
    }
    return {
      note: (key_id, address) => {
        const now = app.now()
        const last = recent.get(key_id)
        if (last !== undefined && now - last < every_ms) return
        recent.set(key_id, now)
        noted.set(key_id, { id: key_id, at: new Date(now).toISOString(), address })
        timer ??= setTimeout(() => void flush(), gather_ms).unref()
      },
      flush,
    }
  },
  stop: (uses) => uses.flush(),
})

const write = async (app: App, uses: readonly Use[]): Promise<void> => {
  try {
    await app.asSystem('note when API keys were used').tx((tx) => noteUses(tx.db, uses))
  } catch (error) {
    app.log.warn({ err: error, keys: uses.length }, 'when API keys were used last could not be written; the next use will be')
  }
}
