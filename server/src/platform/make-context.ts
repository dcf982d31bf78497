import type { Actor, App, ContextInput, Ctx, TxCtx } from './context.ts'
import type { ReadDb, TxDb } from './database/open.ts'
import type { Scope } from './database/scope.ts'
import type { OpenTransaction, Work } from './database/transaction.ts'
import { type NewEvent, recordEvents } from './events/record-events.ts'
import type { Logger } from './log.ts'

/** Completes an app with what makes contexts. */
export const withContexts = (parts: Omit<App, 'context' | 'asSystem'>): App => {
  const app: App = {
    ...parts,
    context: (input) => makeContext(app, input),
    asSystem: (reason, workspace_id) => makeSystemContext(app, reason, workspace_id, {}),
  }
  return app
}

const makeContext = (app: App, input: ContextInput): Ctx => {
  const { actor, workspace_id, request_id } = input
  const scope: Scope = {
    role: actor.type === 'system' ? 'millrace_system' : 'millrace_app',
    user_id: actor.type === 'user' ? actor.user_id : null,
    workspace_id,
  }
  let db: ReadDb | undefined
  let log: Logger | undefined
  let signal: AbortSignal | undefined
  const ctx: Ctx = {
    ...app,
    // A request makes these two when it is asked for them, so nothing asks before somebody needs them.
    get log() {
      return (log ??= input.log ?? app.log)
    },
    get signal() {
      return (signal ??= input.signal ?? new AbortController().signal)
    },
    actor,
    workspace_id,
    request_id,
    get db() {
      return (db ??= app.database.read(scope))
    },
    asSystem: (reason, of) => makeSystemContext(app, reason, of, ctx),
    tx: (work) => inTransaction(app, ctx, scope, work),
  }
  return ctx
}

const makeSystemContext = (app: App, reason: string, workspace_id: string | undefined, caller: Partial<ContextInput>): Ctx => {
  const request_id = caller.request_id ?? app.newId()
  const log = caller.log ?? app.log
  log.debug({ reason, workspace_id, request_id }, 'acting as the system')
  return makeContext(app, {
    actor: { type: 'system', reason },
    workspace_id: workspace_id ?? null,
    request_id,
    log,
    ...(caller.signal ? { signal: caller.signal } : {}),
  })
}

const inTransaction = async <T>(app: App, ctx: Ctx, scope: Scope, work: (tx: TxCtx) => Promise<T>): Promise<T> => {
  const { result, effects, emitted } = await ctx.database.transaction(scope, (open) => runWork(app, ctx, open, work))
  for (const effect of effects) {
    try {
      await effect()
    } catch (error) {
      ctx.log.error({ err: error, request_id: ctx.request_id }, 'an effect after a commit failed; the commit stands')
    }
  }
  if (emitted) ctx.database.committed.raise()
  return result
}

interface Done<T> {
  readonly result: T
  readonly effects: readonly (() => void | Promise<void>)[]
  readonly emitted: boolean
}

/** One try of the work: its events and effects are its own, so that a second try starts with none. */
const runWork = async <T>(app: App, ctx: Ctx, open: OpenTransaction, work: (tx: TxCtx) => Promise<T>): Promise<Work<Done<T>>> => {
  const events: NewEvent[] = []
  const effects: (() => void | Promise<void>)[] = []
  let ended = false
  const whileOpen = (): void => {
    if (ended) throw new Error('This transaction has ended; what belongs to it has to be done before its work returns.')
  }
  const tx: TxCtx = {
    ...app,
    actor: ctx.actor,
    workspace_id: ctx.workspace_id,
    request_id: ctx.request_id,
    asSystem: ctx.asSystem,
    get log() {
      return ctx.log
    },
    get signal() {
      return ctx.signal
    },
    db: open.db as TxDb,
    tx: async (inner) => {
      whileOpen()
      return inner(tx)
    },
    emit: (event, data) => {
      whileOpen()
      events.push({ name: event.name, data })
    },
    afterCommit: (effect) => {
      whileOpen()
      effects.push(effect)
    },
  }
  try {
    const result = await work(tx)
    const recording = { workspace_id: ctx.workspace_id, ...actorColumns(ctx.actor), created_at: new Date(ctx.now()).toISOString() }
    return {
      result: { result, effects, emitted: events.length > 0 },
      last: events.length === 0 ? undefined : recordEvents(events, recording),
    }
  } finally {
    ended = true
  }
}

const actorColumns = (actor: Actor): { actor_type: string; actor_id: string | null } => ({
  actor_type: actor.type,
  actor_id: actor.type === 'user' ? actor.user_id : null,
})
