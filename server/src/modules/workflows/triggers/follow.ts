import { setImmediate as nextTurn } from 'node:timers/promises'
import { hops_field, hopsOf, most_hops } from '../../../engine/hops.ts'
import { beginningsOf } from '../../../engine/history.ts'
import type { Json, JsonObject } from '../../../lib/json.ts'
import { derivedId } from '../../../lib/derived-id.ts'
import type { App } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { defineConsumer } from '../../../platform/events/consumer.ts'
import type { RecordedEvent } from '../../../platform/events/event.ts'
import type { Module } from '../../../platform/module.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import { enqueueing } from '../start.ts'
import { conditions } from './conditions.ts'
import { installationWorkspace } from './installation.ts'
import * as store from './subscription-store.ts'

const failures = ['workflows.execution.failed', 'workflows.execution.timed_out']

/** What `trigger.event` may name: not what comes in masses, as the ends of executions do. */
export const offeredEvents = (modules: readonly Module[]): readonly string[] =>
  modules.flatMap((module) => (module.events ?? []).filter(({ audit }) => audit !== false).map(({ name }) => name))

export const covers = (pattern: string, name: string): boolean =>
  pattern.endsWith('.*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name

/** An execution to be started, by the event that is its reason. */
interface Start {
  readonly reason: string
  readonly subscription: store.SubscriptionRow
  readonly payload: JsonObject
}

/** The event as a workflow sees it: `changes` and where the request came from are not for it. */
const payloadOf = ({ id, name, created_at, actor, data, origin }: RecordedEvent): JsonObject => ({
  ...{ id, name, created_at, actor: { type: actor.type, id: actor.id }, data: data as Json },
  [hops_field]: origin?.hops ?? 0,
})

const ofEvent = (app: App, event: RecordedEvent, subscriptions: readonly store.SubscriptionRow[]): readonly Start[] => {
  const payload = payloadOf(event)
  const hearing = app.use(installationWorkspace).hearing(event)
  const matches = app.use(conditions)
  return subscriptions
    .filter(
      ({ kind, event: pattern, workspace_id }) => kind === 'event' && hearing.includes(workspace_id) && covers(pattern ?? '', event.name),
    )
    .filter(({ condition }) => condition === null || matches(condition, payload))
    .map((subscription) => ({ reason: event.id, subscription, payload }))
}

const ofFailure = (failed: store.FailedRow, workspace_id: string, subscriptions: readonly store.SubscriptionRow[]) => {
  const others = subscriptions.filter(
    (row) => row.kind === 'failure' && row.workspace_id === workspace_id && row.workflow_id !== failed.workflow_id,
  )
  const named = others.find(({ workflow_id }) => workflow_id === failed.error_workflow_id)
  return others.filter((row) => row === named || row.workflow_ids === null || row.workflow_ids.includes(failed.workflow_id))
}

const failurePayload = (failed: store.FailedRow, hops: number): JsonObject => {
  const { id, workflow_id, workflow_name, version, status, error, trigger_type, trigger_node_id, started_at, finished_at } = failed
  const { code = 'unknown', message = '', node_id = null } = error ?? {}
  return {
    ...{ execution_id: id, workflow_id, workflow_name, version, status, error: { code, message, node_id } },
    ...{ trigger: { type: trigger_type, node_id: trigger_node_id }, started_at, finished_at },
    [hops_field]: hops,
  }
}

const why = 'events start workflows of all workspaces'

const ofFailures = async (
  app: App,
  events: readonly RecordedEvent[],
  subscriptions: readonly store.SubscriptionRow[],
): Promise<readonly Start[]> => {
  const listening = new Set(subscriptions.filter(({ kind }) => kind === 'failure').map(({ workspace_id }) => workspace_id))
  const reasons = new Map(
    events
      .filter(
        ({ name, workspace_id, data }) =>
          failures.includes(name) && listening.has(workspace_id ?? '') && (data as { mode: string }).mode === 'live',
      )
      .map((event) => [(event.data as { execution_id: string }).execution_id, event]),
  )
  if (reasons.size === 0) return []
  const ctx = app.asSystem(why)
  const rows = await store.failedExecutions(ctx.db, [...reasons.keys()])
  const found = rows.map((failed) => {
    const { id: reason, workspace_id } = reasons.get(failed.id) as RecordedEvent
    return { failed, reason, starts: ofFailure(failed, workspace_id as string, subscriptions) }
  })
  const heard = found.filter(({ starts }) => starts.length > 0)
  const payloads = await beginningsOf(
    ctx,
    heard.map(({ failed }) => failed.id),
  )
  return heard.flatMap(({ failed, reason, starts }) => {
    const payload = failurePayload(failed, hopsOf(payloads.get(failed.id) ?? null) + 1)
    return starts.map((subscription) => ({ reason, subscription, payload }))
  })
}

/** Once for a reason and a trigger, however often the batch is repeated: the id of the execution follows from them. */
const begin = async (app: App, { reason, subscription, payload }: Start): Promise<void> => {
  const { workspace_id, workflow_id, version, node_id, kind } = subscription
  if (hopsOf(payload) >= most_hops)
    return app.log.warn({ workflow_id, node_id }, 'an event started no workflow: they would start each other in a circle')
  const execution_id = derivedId(reason, workflow_id, node_id)
  const input = { execution_id, workspace_id, workflow_id, version, mode: 'live', trigger_node_id: node_id, payload } as const
  try {
    await enqueueing(app, (enqueue) =>
      app.asSystem(why, workspace_id).tx((tx) => enqueue(tx, { ...input, trigger_type: `trigger.${kind}` })),
    )
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    app.log.warn({ workflow_id, node_id, code: error.code }, 'an event started no workflow: the plan of its workspace is used up')
  }
}

const handle = async (app: App, events: readonly RecordedEvent[]): Promise<void> => {
  const ctx = app.asSystem(why)
  const { hearing } = app.use(installationWorkspace)
  const ids = [...new Set(events.flatMap(hearing))]
  const all = ids.length === 0 ? [] : await store.subscriptionsOf(ctx.db, ids)
  if (all.length === 0) return
  const alive = await workspaces.namesOf(ctx, [...new Set(all.map(({ workspace_id }) => workspace_id))])
  const subscriptions = all.filter(({ workspace_id }) => alive.has(workspace_id))
  const starts = [...(await ofFailures(app, events, subscriptions))]
  for (const event of events) {
    if (!failures.includes(event.name)) starts.push(...ofEvent(app, event, subscriptions))
    await nextTurn()
  }
  for (const start of starts) await begin(app, start)
}

/** Starts the workflows that listen to an event, or to the failure of another. */
export const followEvents = defineConsumer({
  name: 'workflows.follow_events',
  delivery: 'durable',
  events: (modules) => [...offeredEvents(modules), ...failures],
  handle,
})
