import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../server/src/test-app.ts'
import { each, probing } from './attack.ts'
import { attempt, mistakeIn } from './worst-attempt.ts'
import { expressions, graphs, names, programs, programs_in_expressions, type WorstInput } from './worst-inputs.ts'

let mill: TestApp
let user: TestUser
beforeAll(async () => {
  mill = await testApp()
  user = await mill.register('worst')
})
afterAll(() => mill.close())

/** What did not come to what it should, two at a time, while somebody else looks whether the server is there. */
const wrongOf = async (inputs: readonly WorstInput[]): Promise<readonly string[]> => {
  const wrong: string[] = []
  const tryOne = async (input: WorstInput): Promise<void> => {
    const mistake = await attempt(user.call, input).then(
      (outcome) => mistakeIn(input, outcome),
      (error: Error) => error.message,
    )
    if (mistake !== null) wrong.push(`${input.what}: ${mistake}`)
  }
  const { probes } = await probing(mill, () => each(inputs, tryOne, 2))
  expect(probes).toBeGreaterThan(inputs.length)
  return wrong
}

const patience = { timeout: 240_000 }

test('graphs as large as they may be run, and those that are larger or make no sense are refused with the place', patience, async () => {
  expect(await wrongOf(graphs)).toEqual([])
})

test('expressions of a megabyte are refused with the place, however they are made', patience, async () => {
  expect(await wrongOf(expressions)).toEqual([])
})

test('expressions that grow without end fail at their node, and honest work on much is done', patience, async () => {
  expect(await wrongOf(programs_in_expressions)).toEqual([])
})

test('programs that mean harm fail at their node with a clear code, and find nothing of the server', patience, async () => {
  expect(await wrongOf(programs)).toEqual([])
  expect([Reflect.get({}, 'polluted'), Reflect.get([], 'polluted')]).toEqual([undefined, undefined])
})

test('names that JavaScript knows are names like others, or are refused with the place', patience, async () => {
  expect(await wrongOf(names)).toEqual([])
  expect([Reflect.get({}, 'polluted'), Reflect.get([], 'polluted')]).toEqual([undefined, undefined])
})

test('a webhook takes payloads made of prototypes, keys that come twice, surrogates and NUL as data', async () => {
  const definition = {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: 'worst', respond: 'last_node' } },
      {
        id: 'seen',
        type: 'data.set',
        config: { values: { names: '{{ keys(trigger.body).sort() }}', polluted: '{{ trigger.?polluted.orValue("no") }}' } },
      },
    ],
    edges: [{ from: 'hook', to: 'seen' }],
  }
  const { body: made } = await user.call('POST', '/api/v1/workflows', { body: { name: 'worst', definition } })
  expect((await user.call('POST', `/api/v1/workflows/${made.id}/publish`)).status).toBe(201)
  const payloads: readonly (readonly [string, readonly string[]])[] = [
    ['{"constructor":{"prototype":{"polluted":1}},"toString":1}', ['constructor', 'toString']],
    ['{"a":1,"a":2}', ['a']],
    ['{"\\ud800":"\\udfff","\\u0000":1}', ['\0', '\ud800']],
    ['{"__defineGetter__":1,"hasOwnProperty":2,"valueOf":3}', ['__defineGetter__', 'hasOwnProperty', 'valueOf']],
  ]
  for (const [payload, seen] of payloads) {
    const { status, body } = await mill.call('POST', '/hooks/worst/worst', { body: payload })
    expect([payload, status, body]).toEqual([payload, 200, { names: seen, polluted: 'no' }])
  }
  const { status } = await mill.call('POST', '/hooks/worst/worst', { body: '{"__proto__":{"polluted":1}}' })
  expect([200, 400]).toContain(status)
  expect(Reflect.get({}, 'polluted')).toBeUndefined()
})
