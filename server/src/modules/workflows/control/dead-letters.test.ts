import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { scenario } from '../../../platform/testing/scenario.ts'
import { NodeFailure } from '../../../engine/node.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { publish } from '../definitions.testing.ts'
import { broken, chain, does, execute, path, reaches, workshop } from './control.testing.ts'

const shop = workshop()
const whole = shop.work
let mill: TestApp
let anna: TestUser
const bad = { now: true }

beforeAll(async () => {
  mill = await testApp({ modules: shop.modules })
  anna = await mill.register('anna')
})
afterAll(() => mill.close())
beforeEach(() => {
  bad.now = true
  shop.work = (input, io) => (bad.now ? broken() : whole(input, io))
})

const dead = async (query = '', user: TestUser = anna): Promise<readonly string[]> => {
  const { status, body } = await user.call('GET', `/api/v1/workflows/dead-letters?${query}`)
  expect([status, body.code]).toEqual([200, undefined])
  return body.items.map(({ id }: { id: string }) => id)
}
const failed = async (workflow_id: string): Promise<string> => {
  const id = await execute(anna, workflow_id)
  await reaches(anna, id, 'failed')
  return id
}

test('what failed is a dead letter until it is tried again or dismissed; what was cancelled or succeeded never is', async () => {
  const workflow_id = await publish(anna, chain([does('one')]))
  const [one, two, three] = [await failed(workflow_id), await failed(workflow_id), await failed(workflow_id)]
  bad.now = false
  await reaches(anna, await execute(anna, workflow_id), 'succeeded')
  const of = `workflow_id=${workflow_id}`
  expect(await dead(of)).toEqual([three, two, one])
  await anna.call('POST', `${path}/${one}/retry`)
  await reaches(anna, one, 'succeeded')
  const dismiss = (id: string) => anna.call('POST', `${path}/${id}/dismiss`)
  await scenario(mill, {
    when: () => dismiss(two),
    status: 200,
    body: { id: two, status: 'failed', dismissed_at: expect.any(String) },
    events: ['workflows.execution.dismissed'],
  })
  expect(await dead(of)).toEqual([three])
  // Once more changes nothing.
  await scenario(mill, { when: () => dismiss(two), status: 200, events: [] })
  expect((await dismiss(one)).body.code).toBe('workflows.not_a_dead_letter')
  bad.now = true
  await anna.call('POST', `${path}/${two}/retry`)
  await reaches(anna, two, 'failed')
  expect(await dead(of)).toEqual([three, two])
})

test('dead letters are filtered by workflow and code, and paged', async () => {
  const clara = await mill.register('clara')
  shop.work = ({ config }) => Promise.reject(new NodeFailure({ code: `test.${config.name}`, message: 'a\u0000b' }))
  const [one, two] = [await publish(anna, chain([does('left')])), await publish(anna, chain([does('right')]))]
  const ids = [await failed(one), await failed(two), await failed(one)]
  expect(await dead(`workflow_id=${one}`)).toEqual([ids[2], ids[0]])
  expect(await dead('error_code=test.right')).toEqual([ids[1]])
  expect(await dead(`error_code=test.right&workflow_id=${one}`)).toEqual([])
  expect(await dead('', clara)).toEqual([])
  const first = await anna.call('GET', '/api/v1/workflows/dead-letters?order=asc&limit=1&error_code=test.left&total=true')
  expect([first.body.items.map(({ id }: { id: string }) => id), first.body.total]).toEqual([[ids[0]], 2])
  expect(await dead(`order=asc&limit=1&error_code=test.left&cursor=${first.body.next_cursor}`)).toEqual([ids[2]])
  // A message that PostgreSQL cannot read as text does not keep it from being tried again.
  expect((await anna.call('POST', `${path}/${ids[0]}/retry`)).status).toBe(200)
  await reaches(anna, ids[0] ?? '', 'failed')
  expect((await anna.call('GET', '/api/v1/workflows/dead-letters?status=failed')).status).toBe(422)
  expect((await clara.call('POST', `${path}/${ids[0]}/dismiss`)).status).toBe(404)
})

test('the list is read from an index that holds nothing but dead letters', async () => {
  const rows = await mill.database.owner.begin(async (tx) => {
    await tx`set local enable_seqscan = off`
    return tx`
      explain (format json)
      select id from executions
      where status in ('failed', 'timed_out') and mode = 'live' and dismissed_at is null and workspace_id = ${anna.workspace_id}
      order by id desc
      limit 50`
  })
  expect(JSON.stringify(rows)).toContain('Index Only Scan')
  expect(JSON.stringify(rows)).not.toContain('"Filter"')
})
