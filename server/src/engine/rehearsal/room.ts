import { defineService } from '../../platform/service.ts'
import { errors } from '../errors.ts'

/** Runs of tests at a time in one process, of one workspace, and how many may wait: each holds what its steps give in memory. */
const most = { running: 4, of_workspace: 1, waiting: 100 }
/** Whoever has waited for so long is told to come again. */
const patience_ms = 30_000

interface Waiting {
  readonly workspace_id: string
  readonly begin: () => void
}

interface Room {
  /** Does the work when there is room for it. Rejects with `engine.tests_busy` when there is none in time. */
  readonly within: <T>(workspace_id: string, work: () => Promise<T>) => Promise<T>
}

/** Where tests are run: so many at a time, those of one workspace one after the other. */
export const testRoom = defineService<Room>({
  name: 'engine.test_room',
  create: () => {
    const waiting: Waiting[] = []
    const running = new Map<string, number>()
    let count = 0
    const admit = (): void => {
      while (count < most.running) {
        const next = waiting.findIndex(({ workspace_id }) => (running.get(workspace_id) ?? 0) < most.of_workspace)
        if (next === -1) return
        const [{ workspace_id, begin }] = waiting.splice(next, 1) as [Waiting]
        count += 1
        running.set(workspace_id, (running.get(workspace_id) ?? 0) + 1)
        begin()
      }
    }
    const leave = (workspace_id: string): void => {
      count -= 1
      const left = (running.get(workspace_id) ?? 1) - 1
      if (left === 0) running.delete(workspace_id)
      else running.set(workspace_id, left)
      admit()
    }
    const enter = async (workspace_id: string): Promise<void> => {
      if (waiting.length >= most.waiting) throw errors.tests_busy()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const own: Waiting = { workspace_id, begin: resolve }
      const timer = setTimeout(() => {
        const at = waiting.indexOf(own)
        if (at === -1) return
        waiting.splice(at, 1)
        reject(errors.tests_busy())
      }, patience_ms)
      waiting.push(own)
      admit()
      await promise.finally(() => clearTimeout(timer))
    }
    return {
      within: async (workspace_id, work) => {
        await enter(workspace_id)
        try {
          return await work()
        } finally {
          leave(workspace_id)
        }
      },
    }
  },
})
