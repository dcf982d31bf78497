import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Json } from '../../../lib/json.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { create, manual, webhookDefinition } from '../definitions.testing.ts'

let mill: TestApp
let anna: TestUser
let ben: TestUser

beforeAll(async () => {
  mill = await testApp()
  anna = await mill.register('anna')
  ben = await mill.register('ben')
})
afterAll(() => mill.close())

const elsewhere = '019aa0f0-0000-7000-8000-000000000004'

/** As it came over the wire. */
const exported = async (user: TestUser, id: string, query = ''): Promise<string> => {
  const url = `${mill.url}/api/v1/workflows/${id}/export${query}`
  const answer = await fetch(url, { headers: { authorization: `Bearer ${user.access_token}` } })
  expect(answer.status).toBe(200)
  return answer.text()
}

const definitionIn = (text: string): string => text.slice(text.indexOf('"definition":'))

test('a workflow that is exported and imported elsewhere is the same, to the byte', async () => {
  const definition = {
    ...webhookDefinition('orders'),
    settings: { timezone: 'Europe/Vienna' },
    pins: { set: { got: [1, null, 'ü'] } },
    tests: [{ name: 'It works', trigger: { node_id: 'start', payload: { a: 1 } }, expect: { status: 'succeeded' } }],
  }
  const { id } = await create(anna, definition, { name: 'Naïve Ordérs / new', description: 'All\nof them', tags: ['b', 'a'] })
  const reply = await anna.call('GET', `/api/v1/workflows/${id}/export`)
  expect(reply.headers.get('content-disposition')).toBe('attachment; filename="nai-ve-orde-rs-new.millrace.json"')
  expect(reply.body).toEqual({
    format: 'millrace.workflow',
    format_version: 1,
    name: 'Naïve Ordérs / new',
    description: 'All\nof them',
    tags: ['b', 'a'],
    version: null,
    definition,
  })
  const { body } = await scenario(mill, {
    when: () => ben.call('POST', '/api/v1/workflows/import', { body: reply.body }),
    status: 201,
    body: {
      workflow: { name: 'Naïve Ordérs / new', status: 'draft', tags: ['b', 'a'], created_by: ben.id },
      report: { source: 'millrace', missing: [] },
    },
    events: ['workflows.created', 'workflows.imported'],
  })
  expect(await exported(ben, body.workflow.id)).toBe(await exported(anna, id))
})

const names = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', '', '0', '10', 'a.b', 'a/b~c'),
  fc.string({ unit: 'binary' }),
)
const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0, -0, 1e21, 5e-324, 2 ** 53, 1.7976931348623157e308, '\0', '{{ x }}', '\ud800', '𝒳\u2028'),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(names, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value
const objects = fc.dictionary(names, json, { maxKeys: 5, noNullPrototype: true })

const definitions = fc
  .array(fc.record({ type: fc.constantFrom('data.set', 'no.such'), config: objects, name: fc.string({ unit: 'binary', maxLength: 50 }) }), {
    maxLength: 4,
  })
  .chain((nodes) =>
    fc.record({
      nodes: fc.constant(nodes.map((node, index) => ({ id: `n${index}`, ...node }))),
      edges: fc.constant([{ from: 'n0', to: 'nowhere' }]),
      pins: objects,
    }),
  )

test('whatever a workflow may hold, a file holds too; what it may not is refused in a file as well', async () => {
  let kept = 0
  let refused = 0
  await fc.assert(
    fc.asyncProperty(definitions, async (definition) => {
      const made = await anna.call('POST', '/api/v1/workflows', { body: { name: 'Any', definition } })
      const file = { format: 'millrace.workflow', format_version: 1, name: 'Any', description: '', tags: [], version: null, definition }
      const read = await ben.call('POST', '/api/v1/workflows/import', { body: file })
      expect(read.status).toBe(made.status)
      if (made.status !== 201) {
        refused += 1
        expect(made.status).toBe(422)
        return
      }
      kept += 1
      const first = await exported(anna, made.body.id)
      expect(definitionIn(first)).toBe(`"definition":${JSON.stringify(definition)}}`)
      const again = await ben.call('POST', '/api/v1/workflows/import', { body: JSON.parse(first) })
      expect(await exported(ben, again.body.workflow.id)).toBe(first)
      expect(await exported(ben, read.body.workflow.id)).toBe(first)
    }),
    { numRuns: 60 },
  )
  // Both happen, so that neither is vacuous.
  expect(kept).toBeGreaterThan(5)
  expect(refused).toBeGreaterThan(5)
}, 60_000)

test('a published version is exported as it was published', async () => {
  const { id } = await create(anna, { nodes: [manual], edges: [] })
  expect((await anna.call('POST', `/api/v1/workflows/${id}/publish`)).status).toBe(201)
  const changed = { nodes: [manual, { id: 'set', type: 'data.set', config: { values: {} } }], edges: [{ from: 'start', to: 'set' }] }
  await anna.call('PUT', `/api/v1/workflows/${id}`, { body: { definition: changed }, headers: { 'if-match': '*' } })
  const published = await anna.call('GET', `/api/v1/workflows/${id}/export?version=1`)
  expect(published.body).toMatchObject({ version: 1, definition: { nodes: [manual], edges: [] } })
  expect(await anna.call('GET', `/api/v1/workflows/${id}/export?version=2`)).toMatchObject({
    status: 404,
    body: { code: 'workflows.version_not_found' },
  })
})

test('a file says what it needs and this workspace does not have, also in bodies of loops', async () => {
  const callee = await create(anna, { nodes: [manual], edges: [] })
  const fetch = { id: 'fetch', type: 'http.request', config: { method: 'GET', url: 'https://example.com', integration_id: elsewhere } }
  const call = (id: string, workflow_id: string) => ({ id, type: 'flow.call', config: { workflow_id } })
  const definition = {
    nodes: [
      manual,
      call('here', callee.id),
      call('there', elsewhere),
      { id: 'loop', type: 'flow.loop', config: { items: '[1]', body: { nodes: [fetch], edges: [] } } },
    ],
    edges: [],
    settings: { error_workflow_id: elsewhere },
  }
  const file = { format: 'millrace.workflow', format_version: 1, name: 'Calls', definition }
  const mine = await anna.call('POST', '/api/v1/workflows/import?dry_run=true', { body: file })
  expect(mine.status).toBe(200)
  expect(mine.body.report.missing).toEqual([
    { kind: 'workflow', id: elsewhere, node_id: 'there', path: '/nodes/2/config/workflow_id' },
    { kind: 'integration', id: elsewhere, node_id: 'fetch', path: '/nodes/3/config/body/nodes/0/config/integration_id' },
    { kind: 'workflow', id: elsewhere, node_id: null, path: '/settings/error_workflow_id' },
  ])
  const theirs = await ben.call('POST', '/api/v1/workflows/import?dry_run=true', { body: file })
  expect(theirs.body.report.missing.map((each: { id: string }) => each.id)).toContain(callee.id)
})

test('a dry run makes nothing', async () => {
  const before = await ben.call('GET', '/api/v1/workflows?total=true')
  const file = { format: 'millrace.workflow', format_version: 1, name: 'Tried', definition: { nodes: [], edges: [] } }
  await scenario(mill, {
    when: () => ben.call('POST', '/api/v1/workflows/import?dry_run=true', { body: file }),
    status: 200,
    body: { name: 'Tried', definition: { nodes: [], edges: [] }, report: { source: 'millrace' } },
    events: [],
  })
  expect((await ben.call('GET', '/api/v1/workflows?total=true')).body.total).toBe(before.body.total)
})

const base = { format: 'millrace.workflow', format_version: 1, name: 'x', definition: { nodes: [], edges: [] } }

test.each<[string, object]>([
  ['nothing that is known', { hello: 'world' }],
  ['a version that is not known', { ...base, format_version: 2 }],
  ['no definition', { format: 'millrace.workflow', format_version: 1, name: 'x' }],
  ['a definition that is none', { ...base, definition: { nodes: 5, edges: [] } }],
  ['a field that would be lost', { ...base, colour: 'red' }],
  [
    'a definition of more than 2 MiB',
    { ...base, definition: { nodes: [{ id: 'a', type: 'b', config: { text: 'x'.repeat(2_200_000) } }], edges: [] } },
  ],
])('a file with %s is refused, and nothing is made', async (_, body) => {
  const reply = await scenario(mill, { when: () => anna.call('POST', '/api/v1/workflows/import', { body }), status: 422, events: [] })
  expect(reply.body.errors.length).toBeGreaterThan(0)
})

test('nobody exports the workflow of another workspace', async () => {
  const { id } = await create(anna, { nodes: [], edges: [] })
  expect(await ben.call('GET', `/api/v1/workflows/${id}/export`)).toMatchObject({ status: 404, body: { code: 'workflows.not_found' } })
})
