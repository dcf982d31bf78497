import { isDeepStrictEqual } from 'node:util'
import type { Definition } from '../../../engine/graph/definition.ts'
import { recurrenceOf, type ScheduleConfig, scheduleTrigger } from '../../../engine/nodes/trigger-schedule.ts'
import { eventTrigger, type EventTriggerConfig } from '../../../engine/nodes/trigger-event.ts'
import { failureTrigger, type FailureTriggerConfig } from '../../../engine/nodes/trigger-failure.ts'
import { openTimetable } from '../../../engine/timetable.ts'
import { iso } from '../../../lib/iso.ts'
import type { TxCtx } from '../../../platform/context.ts'
import type { WorkflowRow } from '../store.ts'
import * as schedules from './schedule-store.ts'
import { scheduleClock } from './schedules.ts'
import * as subscriptions from './subscription-store.ts'

type Published = Pick<WorkflowRow, 'id' | 'workspace_id' | 'version'>

const schedulesOf = (tx: TxCtx, { id, workspace_id, version }: Published, definition: Definition): readonly schedules.ScheduleRow[] =>
  definition.nodes
    .filter(({ type, disabled }) => type === scheduleTrigger.type && disabled !== true)
    .map((node) => {
      const config = node.config as ScheduleConfig
      const recurrence = recurrenceOf(config, definition.settings?.timezone)
      const next = openTimetable(recurrence).next(tx.now())
      const next_at = next === null ? null : iso(next)
      const { missed = 'skip' } = config
      return { workflow_id: id, node_id: node.id, workspace_id, version: version as number, recurrence, missed, next_at, held_at: null }
    })

const subscriptionsOf = ({ id, workspace_id, version }: Published, definition: Definition): readonly subscriptions.SubscriptionRow[] =>
  definition.nodes.flatMap((node): subscriptions.SubscriptionRow[] => {
    if (node.disabled === true) return []
    const row = { workflow_id: id, node_id: node.id, workspace_id, version: version as number }
    if (node.type === failureTrigger.type) {
      const { workflow_ids = null } = (node.config ?? {}) as FailureTriggerConfig
      return [{ ...row, kind: 'failure', event: null, condition: null, workflow_ids }]
    }
    if (node.type !== eventTrigger.type) return []
    const { name, where = null } = node.config as EventTriggerConfig
    return [{ ...row, kind: 'event', event: name, condition: where, workflow_ids: null }]
  })

/** Puts the triggers of a published definition in force that the product itself watches; those of another version go. */
export const layOut = async (tx: TxCtx, workflow: Published, definition: Definition): Promise<void> => {
  const before = new Map((await schedules.schedulesOf(tx.db, workflow.id)).map((row) => [row.node_id, row]))
  await takeAway(tx, workflow.id)
  const rows = schedulesOf(tx, workflow, definition).map((row) => {
    const same = before.get(row.node_id)
    if (same === undefined || !isDeepStrictEqual(same.recurrence, row.recurrence)) return row
    // From where it stood it finds what it has missed while its workflow was paused.
    if (same.held_at !== null) return row.missed === 'skip' ? row : { ...row, next_at: same.held_at }
    // Who publishes more often than an interval is long must not put it off for ever.
    return { ...row, next_at: same.next_at }
  })
  await schedules.insertSchedules(tx.db, rows)
  await subscriptions.insertSubscriptions(tx.db, subscriptionsOf(workflow, definition))
  if (rows.length > 0) tx.afterCommit(() => tx.use(scheduleClock).look())
}

/** The workflow starts nothing until it is laid out again; its schedules keep where they stood. */
export const rest = async (tx: TxCtx, workflow_id: string): Promise<void> => {
  await schedules.holdSchedules(tx.db, workflow_id)
  await subscriptions.deleteSubscriptions(tx.db, workflow_id)
}

/** The workflow starts by itself no more. */
export const takeAway = async (tx: TxCtx, workflow_id: string): Promise<void> => {
  await schedules.deleteSchedules(tx.db, workflow_id)
  await subscriptions.deleteSubscriptions(tx.db, workflow_id)
}
