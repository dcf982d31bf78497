import type { Json, JsonObject } from '../../server/src/lib/json.ts'

/** A workflow that is run while things die, and what must be true of each of its executions afterwards. */
export interface Kind {
  readonly name: string
  /** `webhook`: by the load, each call once; `keyed`: by the load, each call again until it is answered; `itself`: by what the load leads to. */
  readonly started: 'webhook' | 'keyed' | 'itself'
  readonly definition: (made: Made) => JsonObject
  /** Paths of the steps that have succeeded in the end, in order of their names. */
  readonly steps: readonly string[]
  /** Paths of the effects that the receiver hears of. */
  readonly effects: readonly string[]
  readonly ends: 'succeeded' | 'failed'
  /** What the step `result` gave, from the payload of the trigger; null where there is no such step. */
  readonly result: (payload: Payload) => Json
  /** So many at once of each key. */
  readonly at_once?: number
}

/** What definitions refer to. */
export interface Made {
  readonly receiver_port: number
  /** Ids of the workflows made before, by kind. */
  readonly ids: ReadonlyMap<string, string>
}

export interface Payload {
  readonly n?: number
  readonly body?: { readonly n: number }
  readonly execution_id?: string
  readonly scheduled_at?: string
  readonly data?: { readonly workflow_id: string }
}

const number = '{{ trigger.body.n }}'

const hook = (name: string, more: JsonObject = {}) => ({
  id: 'hook',
  type: 'trigger.webhook',
  config: { path: name, method: 'POST', respond: 'immediate', ...more },
})

/** An effect, noted by the receiver under its key. */
const effect = (id: string, made: Made, body: JsonObject) => ({
  id,
  type: 'http.request',
  config: { method: 'POST', url: `http://127.0.0.1:${made.receiver_port}/${id}`, body },
  retry: { max_attempts: 10, backoff: 'fixed', delay_ms: 50 },
})

const result = (values: JsonObject) => ({ id: 'result', type: 'data.set', config: { values } })

/** One node after the other. */
const chain = (...nodes: readonly (JsonObject & { readonly id: string })[]): JsonObject => ({
  nodes,
  edges: nodes.slice(1).map(({ id }, index) => ({ from: nodes[index]?.id ?? '', to: id })),
})

const called = (made: Made, name: string): string => {
  const id = made.ids.get(name)
  if (id === undefined) throw new Error(`${name} is made after what refers to it`)
  return id
}

const n = (payload: Payload): number => payload.body?.n ?? payload.n ?? -1

const pure: Kind = {
  name: 'pure',
  started: 'webhook',
  definition: () => chain(hook('pure', { respond: 'last_node' }), result({ n: number, next: '{{ trigger.body.n + 1 }}' })),
  steps: ['result'],
  effects: [],
  ends: 'succeeded',
  result: (payload) => ({ n: n(payload), next: n(payload) + 1 }),
}

const effects: Kind = {
  name: 'effects',
  started: 'webhook',
  definition: (made) => ({
    nodes: [
      hook('effects'),
      effect('left', made, { n: number }),
      effect('right', made, { n: number }),
      { id: 'both', type: 'flow.merge', config: { mode: 'all' } },
      effect('last', made, { n: number }),
      result({ n: number, heard: '{{ steps.last.output.body.n }}' }),
    ],
    edges: [
      { from: 'hook', to: 'left' },
      { from: 'hook', to: 'right' },
      { from: 'left', to: 'both' },
      { from: 'right', to: 'both' },
      { from: 'both', to: 'last' },
      { from: 'last', to: 'result' },
    ],
  }),
  steps: ['both', 'last', 'left', 'result', 'right'],
  effects: ['last', 'left', 'right'],
  ends: 'succeeded',
  result: (payload) => ({ n: n(payload), heard: n(payload) }),
}

/** Each call is made again until it is answered, with the same key: one execution comes of it. */
const keyed: Kind = {
  name: 'keyed',
  started: 'keyed',
  definition: (made) => chain(hook('keyed'), effect('once', made, { n: number }), result({ n: number })),
  steps: ['once', 'result'],
  effects: ['once'],
  ends: 'succeeded',
  result: (payload) => ({ n: n(payload) }),
}

const places = [0, 1, 2, 3]

const loop: Kind = {
  name: 'loop',
  started: 'webhook',
  definition: (made) => {
    const body = chain(effect('send', made, { n: '{{ item.n }}' }), {
      id: 'line',
      type: 'data.set',
      config: { values: { at: '{{ index }}', heard: '{{ steps.send.output.body.n }}' } },
    })
    const items = '{{ [0, 1, 2, 3].map(i, {"n": trigger.body.n + i}) }}'
    const each = { id: 'each', type: 'flow.loop', config: { items, parallel: 2, body } }
    return chain(hook('loop'), each, result({ lines: '{{ steps.each.output.items }}' }))
  },
  steps: [...places.flatMap((at) => [`each[${at}].line`, `each[${at}].send`]), 'each', 'result'].toSorted(),
  effects: places.map((at) => `each[${at}].send`),
  ends: 'succeeded',
  result: (payload) => ({ lines: places.map((at) => ({ at, heard: n(payload) + at })) }),
}

const callee: Kind = {
  name: 'callee',
  started: 'itself',
  definition: (made) =>
    chain(
      { id: 'start', type: 'trigger.manual' },
      { id: 'nap', type: 'flow.wait', config: { for_ms: 150 } },
      effect('work', made, { n: '{{ trigger.n }}' }),
      result({ n: '{{ trigger.n }}' }),
    ),
  steps: ['nap', 'result', 'work'],
  effects: ['work'],
  ends: 'succeeded',
  result: (payload) => ({ n: n(payload) }),
}

const call: Kind = {
  name: 'call',
  started: 'webhook',
  definition: (made) => {
    const ask = { id: 'ask', type: 'flow.call', config: { workflow_id: called(made, 'callee'), input: { n: number } } }
    return chain(hook('call'), ask, result({ n: number, got: '{{ steps.ask.output.n }}' }))
  },
  steps: ['ask', 'result'],
  effects: [],
  ends: 'succeeded',
  result: (payload) => ({ n: n(payload), got: n(payload) }),
}

const failing: Kind = {
  name: 'failing',
  started: 'itself',
  definition: () =>
    chain(
      { id: 'start', type: 'trigger.manual' },
      { id: 'nap', type: 'flow.wait', config: { for_ms: 50 } },
      { id: 'stop', type: 'flow.stop', config: { status: 'failed', message: 'The mill stands still' } },
    ),
  steps: ['nap'],
  effects: [],
  ends: 'failed',
  result: () => null,
}

const callOfFailing: Kind = {
  name: 'call-of-failing',
  started: 'webhook',
  definition: (made) => {
    const ask = { id: 'ask', type: 'flow.call', config: { workflow_id: called(made, 'failing'), input: { n: number } } }
    return chain(hook('call-of-failing'), ask, result({}))
  },
  steps: [],
  effects: [],
  ends: 'failed',
  result: () => null,
}

const afterFailure: Kind = {
  name: 'after-failure',
  started: 'itself',
  definition: (made) => {
    const failed = { id: 'failed', type: 'trigger.failure', config: { workflow_ids: [called(made, 'failing')] } }
    return chain(failed, effect('note', made, {}), result({ of: '{{ trigger.execution_id }}' }))
  },
  steps: ['note', 'result'],
  effects: ['note'],
  ends: 'succeeded',
  result: ({ execution_id = '' }) => ({ of: execution_id }),
}

const code: Kind = {
  name: 'code',
  started: 'webhook',
  definition: (made) => {
    const source = 'export default (input) => ({ n: input.body.n, square: input.body.n ** 2, key: Math.random() })'
    const once = { id: 'code', type: 'data.code', config: { source } }
    // The key that a program draws is the same when it is run again: the effect is told of it, and so is the result.
    const tell = effect('tell', made, { n: '{{ steps.code.output.n }}', key: '{{ steps.code.output.key }}' })
    const same = '{{ steps.tell.output.body.key == steps.code.output.key }}'
    return chain(hook('code'), once, tell, result({ n: number, square: '{{ steps.code.output.square }}', same }))
  },
  steps: ['code', 'result', 'tell'],
  effects: ['tell'],
  ends: 'succeeded',
  result: (payload) => ({ n: n(payload), square: n(payload) ** 2, same: true }),
}

const wait: Kind = {
  name: 'wait',
  started: 'webhook',
  definition: (made) =>
    chain(
      hook('wait'),
      { id: 'nap', type: 'flow.wait', config: { for_ms: 400 } },
      effect('after', made, { n: number }),
      result({ n: number }),
    ),
  steps: ['after', 'nap', 'result'],
  effects: ['after'],
  ends: 'succeeded',
  result: (payload) => ({ n: n(payload) }),
}

/** It tells the receiver where it is to be called, and somebody calls there. */
const resume: Kind = {
  name: 'resume',
  started: 'webhook',
  definition: (made) =>
    chain(
      hook('resume'),
      effect('ask', made, { n: number, resume: '{{ execution.resume_url }}' }),
      { id: 'answer', type: 'flow.wait', config: { webhook: true } },
      effect('resumed', made, { n: number }),
      result({ n: number, came: '{{ steps.answer.output.body.n }}' }),
    ),
  steps: ['answer', 'ask', 'result', 'resumed'],
  effects: ['ask', 'resumed'],
  ends: 'succeeded',
  result: (payload) => ({ n: n(payload), came: n(payload) }),
}

export const drafts_named = 'race '

const onEvent: Kind = {
  name: 'on-event',
  started: 'itself',
  definition: (made) => {
    const where = `trigger.data.name.startsWith("${drafts_named}")`
    const on = { id: 'on', type: 'trigger.event', config: { name: 'workflows.created', where } }
    return chain(on, effect('heard', made, {}), result({ of: '{{ trigger.data.workflow_id }}' }))
  },
  steps: ['heard', 'result'],
  effects: ['heard'],
  ends: 'succeeded',
  result: ({ data }) => ({ of: data?.workflow_id ?? '' }),
}

export const tick_ms = 1_000

const tick: Kind = {
  name: 'tick',
  started: 'itself',
  definition: (made) => {
    const every = { id: 'every', type: 'trigger.schedule', config: { every_ms: tick_ms, missed: 'all' } }
    return chain(every, effect('tick', made, {}), result({ at: '{{ trigger.scheduled_at }}' }))
  },
  steps: ['result', 'tick'],
  effects: ['tick'],
  ends: 'succeeded',
  result: ({ scheduled_at = '' }) => ({ at: scheduled_at }),
}

/** Two at once of each of three keys: the others stand in line, and somebody has to call the next whoever dies. */
const limited: Kind = {
  name: 'limited',
  started: 'webhook',
  definition: (made) => ({
    ...chain(hook('limited'), effect('one', made, { n: number }), effect('two', made, { n: number }), result({ n: number })),
    settings: { concurrency: { limit: 2, key: 'trigger.body.n % 3' } },
  }),
  steps: ['one', 'result', 'two'],
  effects: ['one', 'two'],
  ends: 'succeeded',
  result: (payload) => ({ n: n(payload) }),
  at_once: 2,
}

/** In the order in which they are made. */
export const kinds: readonly Kind[] = [
  pure,
  effects,
  keyed,
  loop,
  callee,
  call,
  failing,
  callOfFailing,
  afterFailure,
  code,
  wait,
  limited,
  resume,
  onEvent,
  tick,
]
