import type { App } from '../../platform/context.ts'
import { defineService } from '../../platform/service.ts'
import { noteUses } from './store.ts'

export interface Uses {
  /** Notes that a credential was used, for later. */
  readonly note: (integration_id: string) => void
  /** Writes what was noted; resolves when all that was noted before is written. */
  readonly flush: () => Promise<void>
}

const gather_ms = 5_000

/** When each integration was used last: written for many at a time, beside the steps that use them, and when the server stops. */
export const uses = defineService<Uses>({
  name: 'integrations.uses',
  create: (app) => {
    const noted = new Map<string, string>()
    let timer: NodeJS.Timeout | null = null
    let writing: Promise<void> = Promise.resolve()
    const flush = (): Promise<void> => {
      if (timer !== null) clearTimeout(timer)
      timer = null
      const batch = [...noted].map(([id, at]) => ({ id, at }))
      noted.clear()
      if (batch.length > 0) writing = writing.then(() => write(app, batch))
      return writing
    }
    return {
      note: (id) => {
        noted.set(id, new Date(app.now()).toISOString())
        timer ??= setTimeout(() => void flush(), gather_ms).unref()
      },
      flush,
    }
  },
  stop: (service) => service.flush(),
})

const write = async (app: App, batch: Parameters<typeof noteUses>[1]): Promise<void> => {
  try {
    await app.asSystem('note when integrations were used').tx((tx) => noteUses(tx.db, batch))
  } catch (error) {
    app.log.warn({ err: error, integrations: batch.length }, 'when integrations were used last could not be written; the next use will be')
  }
}
