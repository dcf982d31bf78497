import { Type } from 'typebox'
import type { Json } from '../../lib/json.ts'
import { effect, Later, NodeFailure, type NodeIo, type NodeResult } from '../node.ts'
import { lookAtWait, openWait } from '../waits/waits.ts'

const longest_ms = 10 * 366 * 86_400_000
/** Who waits without an end looks up this often. */
const patience_ms = 30 * 86_400_000

export const waitNode = effect({
  type: 'flow.wait',
  title: 'Wait',
  description:
    'Goes on after a time, at a time, or when its execution’s `execution.resume_url` is called. Meanwhile nothing is held: it survives every restart. It gives its input, or what it was called with.',
  icon: 'hourglass',
  config: Type.Object(
    {
      for_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: longest_ms, description: 'Milliseconds.' })),
      until: Type.Optional(
        Type.String({ maxLength: 100, description: 'A time (RFC 3339): `2026-11-20T09:00:00Z`. One that is over does not wait.' }),
      ),
      webhook: Type.Optional(Type.Literal(true, { description: 'Until `POST` to `execution.resume_url`.' })),
      timeout_ms: Type.Optional(
        Type.Integer({
          minimum: 1_000,
          maximum: longest_ms,
          description: '`webhook`: fails with `wait.timed_out` after so long. Without it there is no end.',
        }),
      ),
    },
    { additionalProperties: false, minProperties: 1 },
  ),
  output: Type.Unknown(),
  example: { config: { for_ms: 60_000 }, trigger: { id: 7 } },
  stand_in: ({ input }) => ({ output: input }),
  run: async ({ config, input }, io): Promise<NodeResult> => {
    const { for_ms, until, webhook, timeout_ms } = config
    const ways = [for_ms, until, webhook].filter((way) => way !== undefined).length
    if (ways !== 1) throw wrong('It waits in one way: "for_ms", "until" or "webhook"')
    if (timeout_ms !== undefined && webhook === undefined) throw wrong('"timeout_ms" goes with "webhook"')
    if (webhook === true) return { output: await called(io, timeout_ms ?? null) }
    // What comes back has waited: its time is in the journal.
    if (io.attempt > 1) return { output: input }
    const ms = for_ms ?? timeOf(until ?? '') - io.app.now()
    if (ms <= 0) return { output: input }
    throw new Later(ms)
  },
})

const wrong = (message: string): NodeFailure => new NodeFailure({ code: 'wait.wrong', message })

const zoned = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)$/

const timeOf = (text: string): number => {
  const time = zoned.test(text) ? Date.parse(text.replace(' ', 'T')) : NaN
  if (Number.isNaN(time)) throw wrong(`${JSON.stringify(text.slice(0, 50))} is no time with a zone, as "2026-11-20T09:00:00Z"`)
  if (time > Date.parse('9000-01-01T00:00:00Z')) throw wrong('The time is too far away')
  return time
}

const called = async ({ app, execution_id, workspace_id, node_id, path, attempt }: NodeIo, timeout_ms: number | null): Promise<Json> => {
  const { system: sql } = app.database
  const now = app.now()
  const state = await lookAtWait(sql, { execution_id, path }, now)
  if (state?.is === 'settled') return state.output
  if (state?.is === 'expired') throw new NodeFailure({ code: 'wait.timed_out', message: 'Nobody called in time' })
  const expires_at = state === null ? (timeout_ms === null ? null : now + timeout_ms) : state.expires_at
  await openWait(sql, { execution_id, path, node_id, workspace_id, attempt, expires_at }, now)
  throw new Later(expires_at === null ? patience_ms : Math.max(1, expires_at - now), { asleep: true })
}
