import type { Actor, App, Client, ContextInput, Ctx, Principal, TxCtx } from './context.ts'
import type { ReadDb, TxDb } from './database/open.ts'
import type { Scope } from './database/scope.ts'
import type { OpenTransaction, Work } from './database/transaction.ts'
import { tellerOf, type TellAtOnce } from './events/at-once.ts'
import { type NewEvent, recordEvents, type Recording } from './events/record-events.ts'
import type { Logger } from './log.ts'
import { refusalOf } from './permissions.ts'

/** Completes an app with what makes contexts. */
export const withContexts = (parts: Omit<App, 'context' | 'asSystem'>): App => {
  const tell = tellerOf(parts.modules)
  const app: App = {
    ...parts,
    context: (input) => new Context(app, tell, input),
    asSystem: (reason, workspace_id) => makeSystemContext(app, reason, workspace_id, {}),
  }
  return app
}

/**
 * An app as its contexts pass it on. Classes, because a getter in an object literal gives each object a shape of its own: V8 keeps shapes with
 * what lives long, and each would keep the request it was made for until the next full collection. That cost a read a fifth of
 * its time.
 */
abstract class Within implements Omit<App, 'log' | 'asSystem'> {
  abstract readonly actor: Actor
  readonly #app: App

  constructor(app: App) {
    this.#app = app
  }

  get metrics(): App['metrics'] {
    return this.#app.metrics
  }

  get instance_id(): string {
    return this.#app.instance_id
  }

  get modules(): App['modules'] {
    return this.#app.modules
  }

  get permissions(): App['permissions'] {
    return this.#app.permissions
  }

  get database(): App['database'] {
    return this.#app.database
  }

  get now(): App['now'] {
    return this.#app.now
  }

  get newId(): App['newId'] {
    return this.#app.newId
  }

  get settings(): App['settings'] {
    return this.#app.settings
  }

  get use(): App['use'] {
    return this.#app.use
  }

  get context(): App['context'] {
    return this.#app.context
  }

  may(name: string): boolean {
    const permission = this.#app.permissions.get(name)
    if (permission === undefined) throw new Error(`No module declares the permission '${name}'.`)
    return refusalOf(permission, this.actor) === null
  }
}

class Context extends Within implements Ctx {
  readonly actor: Actor
  readonly workspace_id: string | null
  readonly request_id: string
  readonly asSystem: Ctx['asSystem']
  readonly tx: Ctx['tx']
  readonly #app: App
  readonly #input: ContextInput
  readonly #scope: Scope
  #db: ReadDb | null = null
  #log: Logger | null = null
  #signal: AbortSignal | null = null
  #principal: Principal | null = null

  constructor(app: App, tell: TellAtOnce, input: ContextInput) {
    super(app)
    const { actor, workspace_id, request_id } = input
    const scope: Scope = {
      role: actor.type === 'system' ? 'millrace_system' : 'millrace_app',
      user_id: actor.type === 'user' ? actor.user_id : null,
      workspace_id,
    }
    this.#app = app
    this.#input = input
    this.#scope = scope
    this.actor = actor
    this.workspace_id = workspace_id
    this.request_id = request_id
    this.asSystem = (reason, of) => makeSystemContext(app, reason, of, this)
    this.tx = (work) => inTransaction(app, tell, this, scope, work)
  }

  // A request makes these two when it is asked for them, so nothing asks before somebody needs them.
  get log(): Logger {
    return (this.#log ??= this.#input.log ?? this.#app.log)
  }

  get signal(): AbortSignal {
    return (this.#signal ??= this.#input.signal ?? new AbortController().signal)
  }

  get client(): Client | null {
    return this.#input.client ?? null
  }

  get principal(): Principal {
    return (this.#principal ??= this.#input.principal ?? principalOf(this.actor))
  }

  get db(): ReadDb {
    return (this.#db ??= this.#app.database.read(this.#scope))
  }
}

const makeSystemContext = (app: App, reason: string, workspace_id: string | undefined, caller: Partial<ContextInput>): Ctx => {
  const request_id = caller.request_id ?? app.newId()
  const log = caller.log ?? app.log
  log.debug({ reason, workspace_id, request_id }, 'acting as the system')
  return app.context({
    actor: { type: 'system', reason },
    workspace_id: workspace_id ?? null,
    request_id,
    log,
    client: caller.client ?? null,
    ...(caller.principal ? { principal: caller.principal } : {}),
    ...(caller.signal ? { signal: caller.signal } : {}),
  })
}

const inTransaction = async <T>(app: App, tell: TellAtOnce, ctx: Ctx, scope: Scope, work: (tx: TxCtx) => Promise<T>): Promise<T> => {
  const { result, effects, events } = await ctx.database.transaction(scope, (open) => runWork(app, ctx, open, work))
  for (const effect of effects) {
    try {
      await effect()
    } catch (error) {
      ctx.log.error({ err: error, request_id: ctx.request_id }, 'an effect after a commit failed; the commit stands')
    }
  }
  if (events.length > 0) {
    await tell(
      app,
      events.map(({ name, data }) => ({ name, data, workspace_id: ctx.workspace_id })),
    )
    ctx.database.committed.raise()
  }
  return result
}

interface Done<T> {
  readonly result: T
  readonly effects: readonly (() => void | Promise<void>)[]
  readonly events: readonly NewEvent[]
}

/** One try of the work: its events and effects are its own, so that a second try starts with none. */
class Transaction extends Within implements TxCtx {
  readonly actor: Actor
  readonly workspace_id: string | null
  readonly request_id: string
  readonly asSystem: Ctx['asSystem']
  readonly db: TxDb
  readonly tx: TxCtx['tx']
  readonly emit: TxCtx['emit']
  readonly afterCommit: TxCtx['afterCommit']
  readonly onBehalfOf: TxCtx['onBehalfOf']
  readonly events: NewEvent[] = []
  readonly effects: (() => void | Promise<void>)[] = []
  ended = false
  #behalf: Principal | null = null
  readonly #ctx: Ctx

  constructor(app: App, ctx: Ctx, open: OpenTransaction) {
    super(app)
    this.#ctx = ctx
    this.actor = ctx.actor
    this.workspace_id = ctx.workspace_id
    this.request_id = ctx.request_id
    this.asSystem = ctx.asSystem
    this.db = open.db as TxDb
    const whileOpen = (): void => {
      if (this.ended) throw new Error('This transaction has ended; what belongs to it has to be done before its work returns.')
    }
    this.tx = async (inner) => {
      whileOpen()
      return inner(this)
    }
    this.emit = (event, data, changes) => {
      whileOpen()
      this.events.push({ name: event.name, data, changes })
    }
    this.onBehalfOf = (user_id) => {
      whileOpen()
      if (ctx.principal.type !== 'user') this.#behalf = { type: 'user', id: user_id, impersonator_id: null }
    }
    this.afterCommit = (effect) => {
      whileOpen()
      this.effects.push(effect)
    }
  }

  get log(): Logger {
    return this.#ctx.log
  }

  get signal(): AbortSignal {
    return this.#ctx.signal
  }

  get client(): Client | null {
    return this.#ctx.client
  }

  get principal(): Principal {
    return this.#behalf ?? this.#ctx.principal
  }
}

const runWork = async <T>(app: App, ctx: Ctx, open: OpenTransaction, work: (tx: TxCtx) => Promise<T>): Promise<Work<Done<T>>> => {
  const tx = new Transaction(app, ctx, open)
  const { events, effects } = tx
  try {
    const result = await work(tx)
    return {
      result: { result, effects, events },
      last: events.length === 0 ? undefined : recordEvents(events, recordingOf(tx)),
    }
  } finally {
    tx.ended = true
  }
}

const principalOf = (actor: Actor): Principal =>
  actor.type === 'user'
    ? { type: 'user', id: actor.user_id, impersonator_id: actor.impersonator_id }
    : { type: actor.type, id: null, impersonator_id: null }

/** A header may be as long as all headers together. */
const longest_user_agent = 500

const recordingOf = (tx: TxCtx): Recording => {
  const { client, principal, request_id } = tx
  const user_agent = client?.user_agent?.slice(0, longest_user_agent) ?? null
  return {
    workspace_id: tx.workspace_id,
    actor_type: principal.type,
    actor_id: principal.id,
    impersonator_id: principal.impersonator_id,
    origin:
      client === null
        ? null
        : { request_id, address: client.address, user_agent, ...(client.hops === undefined ? {} : { hops: client.hops }) },
    created_at: new Date(tx.now()).toISOString(),
  }
}
