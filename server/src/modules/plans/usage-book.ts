import type { App } from '../../platform/context.ts'
import { defineService } from '../../platform/service.ts'
import * as store from './store.ts'
import type { UsageKey } from './store.ts'

export interface Use extends UsageKey {
  readonly amount: number
  readonly limit: number
}

/** Whether a use was granted, and what is used then. */
export interface Taken {
  readonly granted: boolean
  readonly used: number
}

/**
 * Takes uses from plans, durably. Those of one workspace and feature go one statement after the other, and whoever comes while one is
 * under way shares the next: they would wait for the same row anyway, each with a connection and a commit of its own.
 */
export interface UsageBook {
  readonly take: (use: Use) => Promise<Taken>
}

interface Waiting {
  readonly use: Use
  readonly resolve: (taken: Taken) => void
  readonly reject: (error: unknown) => void
}

/** The uses at the head of a line that one statement can decide: alike in everything. */
const alike = (line: readonly Waiting[]): readonly Waiting[] => {
  const [first] = line
  const other = line.findIndex(
    ({ use }) => use.amount !== first?.use.amount || use.limit !== first.use.limit || use.period_start !== first.use.period_start,
  )
  return other < 0 ? line : line.slice(0, other)
}

export const createUsageBook = (spend: (use: Use, count: number) => Promise<{ granted: number; used: number }>): UsageBook => {
  const lines = new Map<string, Waiting[]>()

  const serve = async (key: string, line: Waiting[]): Promise<void> => {
    while (line.length > 0) {
      const batch = line.splice(0, alike(line).length)
      const { use } = batch[0] as Waiting
      try {
        const { granted, used } = await spend(use, batch.length)
        // In the order they came: the first of them know of those after them no more than if each had been alone.
        batch.forEach(({ resolve }, index) => {
          const later = Math.max(0, granted - 1 - index)
          resolve({ granted: index < granted, used: used - later * use.amount })
        })
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    lines.delete(key)
  }

  return {
    take: (use) =>
      new Promise((resolve, reject) => {
        const key = `${use.workspace_id} ${use.feature}`
        const waiting = { use, resolve, reject }
        const line = lines.get(key)
        if (line !== undefined) {
          line.push(waiting)
          return
        }
        const begun = [waiting]
        lines.set(key, begun)
        void serve(key, begun)
      }),
  }
}

export const usageBook = defineService<UsageBook>({
  name: 'plans.usage_book',
  create: (app) => createUsageBook((use, count) => spendAlone(app, use, count)),
})

const spendAlone = (app: App, use: Use, count: number): Promise<{ granted: number; used: number }> =>
  app
    .asSystem('what a plan counts is counted before the work begins', use.workspace_id)
    .tx((tx) => store.spend(tx.db, use, { amount: use.amount, count, limit: use.limit }))
