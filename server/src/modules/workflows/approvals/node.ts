import { Type } from 'typebox'
import { effect, Later, type NodeResult } from '../../../engine/node.ts'
import { isJsonObject } from '../../../lib/json.ts'
import { lookAtWait, openWait } from '../../../engine/waits/waits.ts'
import { ask, expire } from './asking.ts'
import { Approvers, Escalation, Form } from './schema.ts'

/** Who waits without an end looks up this often. */
const patience_ms = 30 * 86_400_000

export const approvalNode = effect({
  type: 'flow.approval',
  title: 'Approval',
  description:
    'Asks members of the workspace, by mail and in `GET /workflows/approvals`, and goes on when enough have approved, too many have rejected, or time is over. Each decides once. With `escalate` others are asked as well while not enough have decided.',
  icon: 'user-check',
  config: Type.Object(
    {
      approvers: Approvers('Ids or addresses of members of the workspace.'),
      needed: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, default: 1, description: 'So many must approve.' })),
      expires_ms: Type.Optional(
        Type.Integer({ minimum: 1_000, maximum: 31_622_400_000, description: 'After so long it leaves through `expired`.' }),
      ),
      escalate: Type.Optional(Escalation),
      form: Type.Optional(Form),
      message: Type.String({ minLength: 1, maxLength: 5_000, description: 'What is to be decided.' }),
    },
    { additionalProperties: false },
  ),
  check: ({ escalate, expires_ms }) => {
    const after_ms = isJsonObject(escalate) ? escalate['after_ms'] : undefined
    const late = typeof after_ms === 'number' && typeof expires_ms === 'number' && after_ms >= expires_ms
    return late ? [{ path: '/escalate/after_ms', message: 'It expires before anybody else is asked' }] : []
  },
  output: Type.Object({ decision: Type.String(), decisions: Type.Array(Type.Unknown()) }),
  ports: ['approved', 'rejected', 'expired'],
  example: { config: { approvers: ['ada@example.org'], needed: 1, message: 'Pay {{ trigger.amount }}?' }, trigger: { amount: 100 } },
  stand_in: () => ({ output: { decision: 'approved', decisions: [] }, port: 'approved' }),
  run: async ({ config }, io): Promise<NodeResult> => {
    const { app, execution_id, workspace_id, node_id, path, attempt } = io
    const { system: sql } = app.database
    const now = app.now()
    const state = await lookAtWait(sql, { execution_id, path }, now)
    if (state?.is === 'settled') return { output: state.output, port: state.port }
    if (state?.is === 'expired') {
      await expire(app, io)
      return { output: { decision: 'expired', decisions: [] }, port: 'expired' }
    }
    const { expires_ms } = config
    const expires_at = state === null ? (expires_ms === undefined ? null : now + expires_ms) : state.expires_at
    await openWait(sql, { execution_id, path, node_id, workspace_id, attempt, expires_at }, now)
    const escalates_at = await ask(io, { ...config, expires_at })
    const wake_at = Math.min(expires_at ?? Infinity, escalates_at ?? Infinity, now + patience_ms)
    throw new Later(Math.max(1, wake_at - now), { asleep: true })
  },
})
