import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { engine } from '../../../engine/engine.ts'
import { listExecutions } from '../../../engine/list-executions.ts'
import { firstId } from '../../../lib/id.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { manual, publish } from '../definitions.testing.ts'
import { fillHistory } from './fill.testing.ts'

let mill: TestApp
let anna: TestUser
beforeAll(async () => {
  mill = await testApp()
  anna = await mill.register('anna')
})
afterAll(() => mill.close())

const failing = (message: string) => ({
  nodes: [manual, { id: 'stop', type: 'flow.stop', config: { status: 'failed', message } }],
  edges: [{ from: 'start', to: 'stop' }],
})
const run = async (id: string): Promise<string> =>
  (await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input: {}, wait_ms: 5_000 } })).body.id
const found = async (query: string, user = anna): Promise<string[]> => {
  const { status, body } = await user.call('GET', `/api/v1/workflows/executions?${query}`)
  expect([query, status]).toEqual([query, 200])
  return body.items.map(({ id }: { id: string }) => id)
}

describe('executions are found', () => {
  test('by part of the message or the code of their error, in upper or lower case, and by the whole code', async () => {
    const timeout = await run(await publish(anna, failing('Timeout of the 100% mill_wheel at C:\\dam')))
    // What PostgreSQL cannot say as text, as it may come with a call.
    const payload = { why: 'The stream is dry \u0000 \ud800' }
    const workflow_id = await publish(anna, failing('{{ trigger.why }}'))
    const start = { workspace_id: anna.workspace_id, workflow_id, version: 1, mode: 'live', trigger_node_id: 'start', payload } as const
    const running = await mill.app.use(engine).start(start)
    expect((await running.finished).error?.message).toBe(payload.why)
    const dry = running.execution_id
    const odd = await run(await publish(anna, failing('100 percent "stopped"')))
    expect(await found('error=timeout%20OF')).toEqual([timeout])
    expect(await found('error=100%25')).toEqual([timeout])
    expect(await found('error=mill_wheel')).toEqual([timeout])
    expect(await found('error=millXwheel')).toEqual([])
    expect(await found(`error=${encodeURIComponent('C:\\dam')}`)).toEqual([timeout])
    expect(await found(`error=${encodeURIComponent('"stopped"')}`)).toEqual([odd])
    expect(await found('error=stream%20is%20DRY')).toEqual([dry])
    expect(await found('error=flow.stop')).toEqual([odd, dry, timeout])
    expect(await found('error_code=flow.stopped')).toEqual([odd, dry, timeout])
    expect(await found('error_code=flow.stop')).toEqual([])
    expect(await found('error=flow&status=cancelled')).toEqual([])
    expect(await found('error=flow&status=failed&status=cancelled&limit=2')).toEqual([odd, dry])
    expect(await found('error=flow', await mill.register('ben'))).toEqual([])
  })

  test('by several states, by mode, and by the execution that called them', async () => {
    const callee = await publish(anna, { nodes: [manual], edges: [] })
    const caller = await run(
      await publish(anna, {
        nodes: [manual, { id: 'call', type: 'flow.call', config: { workflow_id: callee } }],
        edges: [{ from: 'start', to: 'call' }],
      }),
    )
    const [called] = await found(`parent_execution_id=${caller}`)
    expect(await found(`parent_execution_id=${called}`)).toEqual([])
    expect(await found('status=succeeded&status=running')).toEqual([called, caller])
    expect(await found('mode=test')).toEqual([])
    expect((await found('mode=live')).slice(0, 2)).toEqual([called, caller])
    expect(await found(`parent_execution_id=${caller}`, await mill.register('clara'))).toEqual([])
    const wait = { id: 'wait', type: 'flow.wait', config: { for_ms: 3_600_000 } }
    const waits = await publish(anna, { nodes: [manual, wait], edges: [{ from: 'start', to: 'wait' }] })
    const { body } = await anna.call('POST', `/api/v1/workflows/${waits}/execute`, { body: {} })
    expect(await found('status=running&status=waiting&status=queued')).toEqual([body.id])
  })

  test.each(['status=odd', 'status=', 'mode=job', 'error=', `error=${'x'.repeat(201)}`, 'parent_execution_id=x', 'error=%00'])(
    'and %s is no filter',
    async (query) => {
      const { status } = await anna.call('GET', `/api/v1/workflows/executions?${query}`)
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(500)
    },
  )
})

test('few among many are found page by page, each of which looks at no more than its share', async () => {
  const dora = await mill.register('dora')
  const workflow_id = await publish(dora, { nodes: [manual], edges: [] })
  const started = Date.now() - 3 * 86_400_000
  await fillHistory(mill.database.owner, {
    workflow_id,
    workspace_id: dora.workspace_id,
    count: 25_000,
    from: started,
    to: started + 86_400_000,
  })
  // The oldest two were started in another way.
  const rare = await mill.database.owner<{ id: string }[]>`
    update executions set trigger_type = 'trigger.form'
    where id in (select id from executions where workflow_id = ${workflow_id} order by id limit 2)
    returning id`
  const seen: string[] = []
  let pages = 0
  for (let cursor: string | null = ''; cursor !== null; pages += 1) {
    const after: string = cursor === '' ? '' : `&cursor=${cursor}`
    const { body } = await dora.call('GET', `/api/v1/workflows/${workflow_id}/executions?trigger=form${after}`)
    seen.push(...body.items.map(({ id }: { id: string }) => id))
    cursor = body.next_cursor
  }
  expect(seen.toSorted()).toEqual(rare.map(({ id }) => id).toSorted())
  expect(pages).toBe(6)
  const { db } = mill.app.context({ actor: { type: 'system', reason: 'a test' }, workspace_id: dora.workspace_id, request_id: 'test' })
  const to = new Date(started + 3_600_000).toISOString()
  const within = await listExecutions(db, { workflow_id, to }, { order: 'desc', limit: 5 })
  expect(within.executions.every(({ id }) => id < firstId(started + 3_600_000))).toBe(true)
  expect(within.executions).toHaveLength(5)
})
