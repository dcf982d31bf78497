import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { create, publish } from '../definitions.testing.ts'
import { followEvents } from './follow.ts'

let mill: TestApp
let beside: TestApp
let user: TestUser
beforeAll(async () => {
  mill = await testApp()
  beside = await testApp({ beside: mill })
  user = await mill.register()
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})

const on = (config: object, type = 'trigger.event') => ({
  nodes: [
    { id: 'on', type, config },
    { id: 'copy', type: 'data.set', config: { values: { got: '{{ trigger }}' } } },
  ],
  edges: [{ from: 'on', to: 'copy' }],
})
const failing = (settings: object = {}) => ({
  nodes: [
    { id: 'start', type: 'trigger.manual' },
    { id: 'stop', type: 'flow.stop', config: { status: 'failed', message: 'The mill stands still' } },
  ],
  edges: [{ from: 'start', to: 'stop' }],
  settings,
})

const inputsOf = async (workflow_id: string, by: TestUser = user) => {
  const { body } = await by.call('GET', `/api/v1/workflows/${workflow_id}/executions?order=asc&limit=100`)
  const all = (body.items as { id: string }[]).map(({ id }) => by.call('GET', `/api/v1/workflows/executions/${id}`))
  return (await Promise.all(all)).map((reply) => reply.body)
}
const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 8_000, interval: 50 })
const draft = (name: string, headers: { [name: string]: string } = {}, by: TestUser = user) =>
  by.call('POST', '/api/v1/workflows', { body: { name, definition: { nodes: [], edges: [] } }, headers })
const execute = (id: string, by: TestUser = user) => by.call('POST', `/api/v1/workflows/${id}/execute`, { body: { wait_ms: 5_000 } })

/** Everything that has happened so far has been heard when this resolves: a workflow that listens to all drafts has heard a last one. */
const heardAll = async () => {
  const name = `last ${mill.app.newId()}`
  const id = await publish(user, on({ name: 'workflows.created', where: `trigger.data.name == "${name}"` }))
  await draft(name)
  await until(async () => expect(await inputsOf(id)).toHaveLength(1))
}

describe('an event', () => {
  test('starts a workflow once, over two processes, with what a workflow may see of it', async () => {
    const id = await publish(user, on({ name: 'workflows.created' }))
    const { body: made } = await draft('Grind')
    await until(async () => expect(await inputsOf(id)).toHaveLength(1))
    const [execution] = await inputsOf(id)
    expect(execution).toMatchObject({ trigger: { type: 'trigger.event', node_id: 'on' } })
    expect(execution.input).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{14}7/),
      name: 'workflows.created',
      created_at: expect.stringMatching(/Z$/),
      actor: { type: 'user', id: user.id },
      data: { workflow_id: made.id, name: 'Grind', revision: 1 },
      millrace_hops: 0,
    })
    await user.call('POST', `/api/v1/workflows/${id}/archive`)
  })

  test('starts nothing again when its batch is repeated', async () => {
    const id = await publish(user, on({ name: 'workflows.created', where: 'trigger.data.name.startsWith("Twice")' }))
    for (const number of [1, 2, 3]) await draft(`Twice ${number}`)
    await until(async () => expect(await inputsOf(id)).toHaveLength(3))
    const events = (await mill.events()).filter(
      ({ name, data }) => name === 'workflows.created' && JSON.stringify(data).includes('"Twice '),
    )
    expect(events).toHaveLength(3)
    await Promise.all([mill, beside].map(async ({ app }) => followEvents.handle(app, events)))
    expect(await mill.database.owner`select id from executions where workflow_id = ${id}`).toHaveLength(3)
  })

  test('of another workspace starts nothing, nor one that the condition leaves out or cannot say anything of', async () => {
    const other = await mill.register()
    const everything = await publish(other, on({ name: 'workflows.*' }))
    const some = await publish(user, on({ name: 'workflows.created', where: 'trigger.data.name == "This one"' }))
    const unsure = await publish(user, on({ name: 'workflows.created', where: 'trigger.data.gone.deeper == 1' }))
    await draft('Not this one')
    await draft('This one')
    await heardAll()
    expect((await inputsOf(some)).map(({ input }) => input.data.name)).toEqual(['This one'])
    expect(await inputsOf(unsure)).toEqual([])
    const theirs = (await inputsOf(everything, other)).map(({ input }) => input.data.workflow_id)
    expect(theirs.filter((id: string) => id !== everything)).toEqual([])
  })

  test('starts nothing while its workflow is paused, and the newest version from when it is published', async () => {
    const id = await publish(user, on({ name: 'workflows.created', where: 'trigger.data.name == "Paused?"' }))
    await user.call('POST', `/api/v1/workflows/${id}/pause`)
    await draft('Paused?')
    await heardAll()
    await user.call('POST', `/api/v1/workflows/${id}/resume`)
    await user.call('POST', `/api/v1/workflows/${id}/publish`)
    await draft('Paused?')
    await until(async () => expect((await inputsOf(id)).map(({ version }) => version)).toEqual([2]))
  })

  test('that workflows led to says how many, and the eleventh starts nothing', async () => {
    const id = await publish(user, on({ name: 'workflows.created', where: 'trigger.data.name == "Round"' }))
    for (const hops of ['3', '10', '11']) await draft('Round', { 'millrace-hops': hops })
    await heardAll()
    expect((await inputsOf(id)).map(({ input }) => input.millrace_hops)).toEqual([3])
  })
})

describe('a failure', () => {
  test('starts the workflows that listen to it, once, and says what failed', async () => {
    const id = await publish(user, failing())
    const every = await publish(user, on({}, 'trigger.failure'))
    const this_one = await publish(user, on({ workflow_ids: [id] }, 'trigger.failure'))
    const another = await publish(user, on({ workflow_ids: [every] }, 'trigger.failure'))
    const { body: failed } = await execute(id)
    expect(failed.status).toBe('failed')
    await heardAll()
    for (const handler of [every, this_one]) {
      await until(async () => expect(await inputsOf(handler)).toHaveLength(1))
      const [execution] = await inputsOf(handler)
      expect(execution.input).toEqual({
        execution_id: failed.id,
        workflow_id: id,
        workflow_name: 'A workflow',
        version: 1,
        status: 'failed',
        error: { code: 'flow.stopped', message: 'The mill stands still', node_id: 'stop' },
        trigger: { type: 'trigger.manual', node_id: 'start' },
        started_at: failed.started_at,
        finished_at: failed.finished_at,
        millrace_hops: 1,
      })
    }
    expect(await inputsOf(another)).toEqual([])
    const events = (await mill.events()).filter(({ name }) => name === 'workflows.execution.failed')
    await followEvents.handle(beside.app, events)
    expect(await inputsOf(every)).toHaveLength(1)
    for (const handler of [every, this_one, another]) await user.call('POST', `/api/v1/workflows/${handler}/archive`)
  })

  test('of what a failure started starts nothing, and no workflow is started by its own', async () => {
    const handler = { ...failing(), nodes: [{ id: 'start', type: 'trigger.failure' }, failing().nodes[1]] }
    const first = await publish(user, handler)
    const second = await publish(user, handler)
    const id = await publish(user, failing())
    await execute(id)
    for (const each of [first, second]) await until(async () => expect((await inputsOf(each))[0]?.status).toBe('failed'))
    await heardAll()
    expect([await inputsOf(first), await inputsOf(second)].map((list) => list.length)).toEqual([1, 1])
    for (const each of [first, second]) await user.call('POST', `/api/v1/workflows/${each}/archive`)
  })

  test('starts the workflow that the settings name, whatever that one listens to, and once', async () => {
    const bystander = await publish(user, failing())
    const handler = await publish(user, on({ workflow_ids: [bystander] }, 'trigger.failure'))
    const id = await publish(user, failing({ error_workflow_id: handler }))
    await execute(id)
    await until(async () => expect((await inputsOf(handler)).map(({ input }) => input.workflow_id)).toEqual([id]))
    await user.call('POST', `/api/v1/workflows/${handler}/archive`)
  })

  test('in another workspace starts nothing', async () => {
    const other = await mill.register()
    const theirs = await publish(other, on({}, 'trigger.failure'))
    await execute(await publish(user, failing()))
    await heardAll()
    expect(await inputsOf(theirs, other)).toEqual([])
  })
})

const nobody = '01900000-0000-7000-8000-00000000dead'
test.each([
  [on({ name: 'workflows.creatd' }), '/nodes/0/config/name', expect.stringContaining('did you mean "workflows.created"?')],
  [on({ name: 'workflows.execution.succeeded' }), '/nodes/0/config/name', expect.stringContaining('There is no event')],
  [on({ name: 'Workflows' }), '/nodes/0/config/name', expect.stringContaining('does not have the form')],
  [on({ name: 'workflows.created', where: 'trigger.data.' }), '/nodes/0/config/where', expect.any(String)],
  [
    on({ name: 'workflows.created', where: 'execution.id == "x"' }),
    '/nodes/0/config/where',
    expect.stringContaining('only "trigger" is known'),
  ],
  [on({ name: 'workflows.created', where: '"text"' }), '/nodes/0/config/where', 'A condition must give true or false'],
  [on({ workflow_ids: [nobody] }, 'trigger.failure'), '/nodes/0/config/workflow_ids/0', `There is no workflow ${nobody} in the workspace`],
  [failing({ error_workflow_id: nobody }), '/settings/error_workflow_id', `There is no workflow ${nobody} in the workspace`],
] as const)('publish refuses what nothing would ever start, case %#', async (definition, path, message) => {
  const { id } = await create(user, definition)
  const { status, body } = await user.call('POST', `/api/v1/workflows/${id}/publish`)
  expect(status).toBe(422)
  expect(body.errors).toContainEqual({ path, message })
})

test('publish refuses a workflow that names itself', async () => {
  const { id, ...rest } = await create(user, failing())
  expect(rest.status).toBe('draft')
  const { headers } = await user.call('GET', `/api/v1/workflows/${id}`)
  const definition = failing({ error_workflow_id: id })
  await user.call('PUT', `/api/v1/workflows/${id}`, { body: { definition }, headers: { 'if-match': headers.get('etag') as string } })
  const { body } = await user.call('POST', `/api/v1/workflows/${id}/publish`)
  expect(body.errors).toEqual([{ path: '/settings/error_workflow_id', message: 'A workflow is never started by its own failure' }])
})
