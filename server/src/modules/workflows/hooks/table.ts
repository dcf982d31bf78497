import type { FormConfig } from '../../../engine/nodes/trigger-form.ts'
import type { KeepRequests, WebhookAuth } from '../../../engine/nodes/trigger-webhook.ts'
import type { App } from '../../../platform/context.ts'
import { defineService } from '../../../platform/service.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import * as store from '../store.ts'
import { type Deliveries, deliveriesOf } from './deliveries.ts'

/** What a call to a webhook starts, and how it is answered. */
export interface Hook {
  readonly workspace_id: string
  readonly workflow_id: string
  readonly version: number
  readonly node_id: string
  readonly respond: 'immediate' | 'last_node' | 'respond_node'
  /** Of the reply; null for the usual one. */
  readonly status: number | null
  /** How a call has to prove itself; null: anybody may call. */
  readonly auth: WebhookAuth | null
  /** Null: each call stands for itself. */
  readonly deliveries: Deliveries | null
  /** Which of its calls are kept as they came, besides what the executions hold. */
  readonly keep_requests: KeepRequests
  /** Of a form, as its trigger describes it. */
  readonly form: FormConfig | null
}

/** What a form stands under among the methods of its path: no request has it. */
export const form_method = 'FORM'

/** The webhooks of one workflow as of one revision of it; while it is paused, those alone that keep the calls they refuse. */
export interface LiveWorkflow {
  readonly workflow_id: string
  readonly workspace_id: string
  readonly revision: number
  readonly hooks: readonly (Hook & { readonly method: string; readonly path: string; readonly paused?: true })[]
}

type Methods = ReadonlyMap<string, Hook>

/** Every active webhook and form of the installation, in memory. */
export interface HookTable {
  /** By method, at `<slug>/<path>`; undefined when no active workflow listens there. */
  readonly at: (address: string) => Methods | undefined
  /** A webhook that would listen there if its workflow were not paused, where it keeps what it refuses. */
  readonly pausedAt: (address: string, method: string) => Hook | undefined
  /** The active form at `<slug>/<path>`. */
  readonly formAt: (address: string) => Hook | undefined
  /** Takes over what a workflow has now, at each slug of its workspace. An older revision than the one that is known changes nothing. */
  readonly apply: (live: LiveWorkflow, slugs: readonly string[]) => void
  /** Reads some workflows again; all of them with null. */
  readonly refresh: (app: App, workflow_ids: readonly string[] | null) => Promise<void>
  /** The slugs of a workspace may have changed, or it was deleted or restored: reads what it holds again. */
  readonly refreshWorkspace: (app: App, workspace_id: string) => Promise<void>
}

interface Known {
  readonly live: LiveWorkflow
  readonly addresses: readonly string[]
  /** The round of reading that it was last seen in. */
  readonly round: number
}

/** Forms have addresses of their own: a webhook may have the same path. */
const formAddress = (address: string): string => `${form_method}:${address}`

const pausedAddress = (address: string): string => `PAUSED:${address}`

const why = 'webhook addresses are kept in memory, those of all workspaces'

export const createHookTable = (): HookTable => {
  const byAddress = new Map<string, Map<string, Hook>>()
  const known = new Map<string, Known>()
  let round = 0

  const forget = (workflow_id: string): void => {
    for (const address of known.get(workflow_id)?.addresses ?? []) {
      const methods = byAddress.get(address)
      for (const [method, hook] of methods ?? []) if (hook.workflow_id === workflow_id) methods?.delete(method)
      if (methods?.size === 0) byAddress.delete(address)
    }
  }

  const put = (live: LiveWorkflow, slugs: readonly string[]): void => {
    forget(live.workflow_id)
    const addresses = live.hooks.flatMap(({ method, path, paused, ...hook }) =>
      slugs.map((slug) => {
        const plain = `${slug}/${path}`
        const address = paused ? pausedAddress(plain) : method === form_method ? formAddress(plain) : plain
        const methods = byAddress.get(address) ?? new Map<string, Hook>()
        byAddress.set(address, methods.set(method, hook))
        return address
      }),
    )
    known.set(live.workflow_id, { live, addresses, round })
  }

  const apply: HookTable['apply'] = (live, slugs) => {
    const before = known.get(live.workflow_id)
    if (before === undefined || before.live.revision <= live.revision) put(live, slugs)
  }

  const read = async (app: App, workflow_ids: readonly string[] | null): Promise<void> => {
    const started = workflow_ids === null ? ++round : round
    const ctx = app.asSystem(why)
    const lives = liveOf(await store.liveRows(ctx.db, workflow_ids))
    const slugs = await workspaces.namesOf(ctx, [...new Set(lives.map(({ workspace_id }) => workspace_id))])
    for (const live of lives) apply(live, slugs.get(live.workspace_id) ?? [])
    const found = new Set(lives.map(({ workflow_id }) => workflow_id))
    // What a publish has put in meanwhile may be newer than what was read: it carries this round, and stays.
    const gone = workflow_ids ?? [...known].filter(([, { round: seen }]) => seen < started).map(([id]) => id)
    for (const id of gone) {
      if (found.has(id)) continue
      forget(id)
      known.delete(id)
    }
  }

  // One after the other: what was read earlier is older, and must not come in over what was read later.
  let reading: Promise<void> = Promise.resolve()
  const refresh: HookTable['refresh'] = (app, workflow_ids) => {
    const next = (): Promise<void> => read(app, workflow_ids)
    // Who read before was told of its own failure.
    return (reading = reading.then(next, next))
  }

  return {
    at: (address) => byAddress.get(address),
    pausedAt: (address, method) => byAddress.get(pausedAddress(address))?.get(method),
    formAt: (address) => byAddress.get(formAddress(address))?.get(form_method),
    apply,
    refresh,
    refreshWorkspace: async (app, workspace_id) => {
      const ids = [...known.values()].filter(({ live }) => live.workspace_id === workspace_id).map(({ live }) => live.workflow_id)
      if (ids.length > 0) await refresh(app, ids)
    },
  }
}

const liveOf = (rows: readonly store.LiveRow[]): readonly LiveWorkflow[] =>
  [...Map.groupBy(rows, ({ id }) => id).values()].map((group) => {
    const { id, workspace_id, revision } = group[0] as store.LiveRow
    return { workflow_id: id, workspace_id, revision, hooks: group.flatMap(hookOf) }
  })

const hookOf = (row: store.LiveRow): LiveWorkflow['hooks'] => {
  const { method, path, version, node_id, respond } = row
  if (method === null || path === null || version === null || node_id === null || respond === null) return []
  const keep_requests = row.keep_requests ?? 'none'
  const paused = row.status === 'paused' && form_method !== method && keep_requests !== 'none'
  if (row.status !== 'active' && !paused) return []
  const { id: workflow_id, workspace_id, reply_status: status, auth, form } = row
  const deliveries = row.dedupe === null ? null : deliveriesOf(row.dedupe)
  return [
    {
      method,
      path,
      workspace_id,
      workflow_id,
      version,
      node_id,
      respond,
      status,
      auth,
      deliveries,
      keep_requests,
      form,
      ...(paused ? { paused } : {}),
    },
  ]
}

export const hookTable = defineService<HookTable>({
  name: 'workflows.hook_table',
  create: createHookTable,
  start: (table, app) => table.refresh(app, null),
})
