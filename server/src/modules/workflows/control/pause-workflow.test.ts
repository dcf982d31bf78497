import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { publish } from '../definitions.testing.ts'
import { broken, chain, does, execute, path, reaches, read, workshop } from './control.testing.ts'

const shop = workshop()
const whole = shop.work
let mill: TestApp
let anna: TestUser

beforeAll(async () => {
  // One place: what comes second is queued.
  mill = await testApp({ modules: shop.modules, env: { MILLRACE_ENGINE_CAPACITY: '1' } })
  anna = await mill.register('anna')
})
afterAll(() => mill.close())
beforeEach(() => {
  shop.work = whole
  shop.begun.length = 0
})

const act = async (id: string, verb: string): Promise<void> => {
  const { status, body } = await anna.call('POST', `/api/v1/workflows/${id}/${verb}`)
  expect([status, body.code]).toEqual([200, undefined])
}

/** A running execution of a workflow, and one that is queued behind it. */
const busy = async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  shop.work = async ({ config }) => {
    if (config.name === 'held') await promise
    return { output: config.name }
  }
  const id = await publish(anna, chain([does('held'), does('after')]))
  const running = await execute(anna, id)
  await vi.waitFor(() => expect(shop.begun).toEqual(['held']))
  const queued = await execute(anna, id)
  expect(await read(anna, queued)).toMatchObject({ status: 'queued' })
  return { id, running, queued, release: resolve }
}

const two_heartbeats = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2_200))

test('one workflow is paused without stopping others: what runs goes on, what is queued waits for its resume', async () => {
  const { id, running, queued, release } = await busy()
  const other = await publish(anna, chain([does('other')]))
  const waiting = await execute(anna, other)
  await act(id, 'pause')
  release()
  await reaches(anna, running, 'succeeded')
  await reaches(anna, waiting, 'succeeded')
  await two_heartbeats()
  expect(await read(anna, queued)).toMatchObject({ status: 'queued', paused_at: null, steps: [] })
  expect((await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: {} })).body.code).toBe('workflows.not_active')
  await act(id, 'resume')
  await reaches(anna, queued, 'succeeded')
})

test.each(['archive', 'publish', 'delete'])('%s lets what was queued begin, as it lets everything else that was started', async (verb) => {
  const { id, running, queued, release } = await busy()
  await act(id, 'pause')
  release()
  await reaches(anna, running, 'succeeded')
  const { status } =
    verb === 'delete' ? await anna.call('DELETE', `/api/v1/workflows/${id}`) : await anna.call('POST', `/api/v1/workflows/${id}/${verb}`)
  expect(status).toBeLessThan(300)
  await reaches(anna, queued, 'succeeded')
})

test('what is queued of a paused workflow can be cancelled', async () => {
  const { id, running, queued, release } = await busy()
  await act(id, 'pause')
  release()
  await reaches(anna, running, 'succeeded')
  expect((await anna.call('POST', `${path}/${queued}/cancel`)).status).toBe(200)
  expect(await reaches(anna, queued, 'cancelled')).toMatchObject({ steps: [] })
})

test('what sleeps goes on while its workflow is paused, and what failed is tried again', async () => {
  let bad = true
  shop.work = (input, io) => (bad && input.config.name === 'bad' ? broken() : whole(input, io))
  const wait = { id: 'wait', type: 'flow.wait', config: { webhook: true } }
  const where = { id: 'where', type: 'data.set', config: { values: { url: '{{ execution.resume_url }}' } } }
  const id = await publish(anna, chain([where, wait, does('bad')]))
  const execution = await execute(anna, id)
  const { steps } = await reaches(anna, execution, 'waiting')
  await act(id, 'pause')
  expect((await mill.call('POST', new URL(steps[0].output.url).pathname, { body: {} })).status).toBe(200)
  await reaches(anna, execution, 'failed')
  bad = false
  expect((await anna.call('POST', `${path}/${execution}/retry`)).status).toBe(200)
  await reaches(anna, execution, 'succeeded')
})

test('who stands in line at a paused workflow with limits is admitted when it is resumed', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  shop.work = async ({ config }) => {
    await promise
    return { output: config.name }
  }
  const id = await publish(anna, chain([does('one')], { concurrency: 1 }))
  const running = await execute(anna, id)
  await vi.waitFor(() => expect(shop.begun).toEqual(['one']))
  const queued = await execute(anna, id)
  await act(id, 'pause')
  resolve()
  await reaches(anna, running, 'succeeded')
  await two_heartbeats()
  await two_heartbeats()
  expect(await read(anna, queued)).toMatchObject({ status: 'queued', steps: [] })
  await act(id, 'resume')
  await reaches(anna, queued, 'succeeded')
})
