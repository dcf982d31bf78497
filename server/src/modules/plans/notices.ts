import type { App } from '../../platform/context.ts'
import { defineService } from '../../platform/service.ts'
import type { Feature, PlanName } from './catalogue.ts'
import { limitNear, limitReached } from './events.ts'
import * as store from './store.ts'

export interface Told {
  readonly kind: 'near' | 'reached'
  readonly workspace_id: string
  /** Whose limit it is, where it is not the workspace's. */
  readonly user_id: string | null
  readonly feature: Feature
  readonly plan: PlanName
  readonly limit: number
  readonly used: number
  readonly period_start: string
}

/** Says once that a limit is near or reached: as an event, in the background, so that a refusal waits for nothing. */
export interface Notices {
  readonly tell: (told: Told) => void
  /** Resolves when what was to be told has been written. */
  readonly settled: () => Promise<void>
}

const most_remembered = 20_000
const kept_ms = 62 * 86_400_000

const write = (app: App, { kind, ...told }: Told): Promise<void> =>
  app.asSystem('a limit of a plan is near or reached, and events say so once', told.workspace_id).tx(async (tx) => {
    const { workspace_id, user_id, feature, period_start } = told
    const notice = { workspace_id, subject_id: user_id ?? workspace_id, feature, kind, period_start }
    const now = tx.now()
    if (!(await store.insertNotice(tx.db, notice, new Date(now).toISOString()))) return
    await store.removeNotices(tx.db, workspace_id, new Date(now - kept_ms).toISOString())
    tx.emit(kind === 'near' ? limitNear : limitReached, told)
  })

export const notices = defineService<Notices>({
  name: 'plans.notices',
  create: (app) => {
    // What this process has said, by whose limit it is: to the period it was said for.
    const said = new Map<string, string>()
    let last: Promise<void> = Promise.resolve()
    return {
      tell: (told) => {
        const key = `${told.workspace_id} ${told.user_id} ${told.feature} ${told.kind}`
        if (said.get(key) === told.period_start) return
        if (said.size >= most_remembered) said.clear()
        said.set(key, told.period_start)
        last = last.then(() =>
          write(app, told).catch((error: unknown) => {
            said.delete(key)
            app.log.warn({ err: error, feature: told.feature }, 'that a limit of a plan is near or reached could not be recorded yet')
          }),
        )
      },
      settled: () => last,
    }
  },
  drain: ({ settled }) => settled(),
})
