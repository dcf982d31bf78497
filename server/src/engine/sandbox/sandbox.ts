import { defineService } from '../../platform/service.ts'
import { settings } from '../settings.ts'
import { openPool, type Pool } from './pool.ts'

const idle_ms = 30_000

/** The threads in which programs of strangers run. None is there until the first program comes. */
export const sandbox = defineService<Pool>({
  name: 'engine.sandbox',
  create: (app) =>
    openPool({
      threads: app.settings(settings).code_threads,
      idle_ms,
      onBreakdown: (err) => app.log.error({ err }, 'a thread of the sandbox broke down; the step that it ran fails'),
    }),
  stop: (pool) => pool.close(),
})
