import type { App } from '../../platform/context.ts'
import { compileInTurns, type ScopeFacts } from '../compile.ts'
import { nodeTypes } from '../engine.ts'
import type { Definition } from '../graph/definition.ts'
import type { TestCase } from '../graph/test-case.ts'
import { jsonDifferences, pointersOf } from '../../lib/json-differences.ts'
import { jsonSize } from '../../lib/json-size.ts'
import type { Json } from '../../lib/json.ts'
import { inTurns, type Interruptible } from '../../lib/turns.ts'
import { answered } from './answered.ts'
import { rehearse, type Rehearsed, resume_url } from './rehearse.ts'
import { repliesOf } from './replies.ts'
import { testRoom } from './room.ts'

export interface Difference {
  /** JSON Pointer into what was expected. */
  readonly path: string
  /** Left out where nothing was expected there. */
  readonly expected?: Json
  /** Left out where there is nothing. */
  readonly actual?: Json
}

export interface TestResult {
  readonly name: string
  readonly ok: boolean
  /** Why it could not be run to its end; null where it was. */
  readonly error: string | null
  readonly differences: Difference[]
  /** Replies that no step has asked for. */
  readonly unused_replies: string[]
  readonly duration_ms: number
}

export interface TestReport {
  readonly passed: number
  readonly failed: number
  readonly results: TestResult[]
}

interface TestRun {
  readonly definition: Definition
  /** Those of the definition when not given. */
  readonly tests?: readonly TestCase[]
  /** What `workspace.id` is in expressions; programs of `data.code` wait in its line. */
  readonly workspace_id?: string
  readonly workflow_id?: string
  readonly signal?: AbortSignal
}

/** All tests of one call, in real time. */
const most_ms = 60_000

const nobody = '00000000-0000-7000-8000-000000000000'
const long_ago = '2026-01-01T00:00:00.000Z'

/**
 * Runs the tests of a definition, one after the other, each within bounds of time and memory. Nothing is written and nothing is sent. The
 * definition must have passed the check.
 */
export const runTests = async (app: App, run: TestRun): Promise<TestReport> => {
  const { definition, tests = definition.tests ?? [] } = run
  const results: TestResult[] = []
  if (tests.length > 0)
    await onStage(app, run, async (stage) => {
      for (const test of tests) results.push(await resultOf(test, await stage(test)))
    })
  const passed = results.filter(({ ok }) => ok).length
  return { passed, failed: results.length - passed, results }
}

/** Makes a definition ready for any number of tests, one after the other, when there is room for them. */
export const onStage = <T>(
  app: App,
  run: Omit<TestRun, 'tests'>,
  work: (stage: (test: TestCase) => Promise<Staged>) => Promise<T>,
): Promise<T> =>
  app.use(testRoom).within(run.workspace_id ?? '', async () => {
    const stage = await prepare(app, run.definition)
    const until = AbortSignal.timeout(most_ms)
    const signal = run.signal === undefined ? until : AbortSignal.any([run.signal, until])
    return work((test) => stage(test, run, signal))
  })

/** How one run of a test went. */
export interface Staged {
  /** Null: the definition has no such trigger. */
  readonly rehearsed: Rehearsed | null
  readonly missing: readonly string[]
  readonly unused: readonly string[]
  readonly duration_ms: number
}

type Stage = (test: TestCase, run: Pick<TestRun, 'workspace_id' | 'workflow_id'>, signal: AbortSignal) => Promise<Staged>

const prepare = async (app: App, definition: Definition): Promise<Stage> => {
  const now: { replies: ReturnType<typeof repliesOf> | null } = { replies: null }
  const types = answered(app.use(nodeTypes), async (type, input, io) => (await now.replies?.answer(type, input, io)) ?? null)
  const version = await compileInTurns(definition, types)
  return async (test, run, signal) => {
    if (version.triggerType(test.trigger.node_id) === null) return { rehearsed: null, missing: [], unused: [], duration_ms: 0 }
    const started = performance.now()
    const abandon = new AbortController()
    const replies = repliesOf(test.replies ?? {}, () => abandon.abort())
    now.replies = replies
    const rehearsed = await rehearse(app, {
      version,
      facts: factsOf(test, run),
      trigger: test.trigger,
      signal: AbortSignal.any([signal, abandon.signal]),
    })
    return { rehearsed, missing: replies.missing, unused: replies.unused(), duration_ms: Math.round(performance.now() - started) }
  }
}

const factsOf = ({ execution = {}, vars = {} }: TestCase, run: Pick<TestRun, 'workspace_id' | 'workflow_id'>): ScopeFacts => ({
  execution_id: execution.id ?? nobody,
  workspace_id: run.workspace_id ?? nobody,
  workflow_id: run.workflow_id ?? nobody,
  version: execution.version ?? 0,
  mode: execution.mode ?? 'test',
  started_at: Date.parse(execution.started_at ?? long_ago),
  vars,
  resumeUrl: () => resume_url,
})

/** What a test comes to. */
export const resultOf = async (test: TestCase, { rehearsed, missing, unused, duration_ms }: Staged): Promise<TestResult> => {
  const base = { name: test.name, unused_replies: [...unused], duration_ms }
  if (rehearsed === null) {
    const error = `There is no trigger "${test.trigger.node_id}"`
    return { ...base, ok: false, error, differences: [{ path: '/trigger/node_id', expected: test.trigger.node_id }] }
  }
  const [path] = missing
  if (path !== undefined) {
    const error = `There is no recorded reply for "${path}"`
    return { ...base, ok: false, error, differences: [{ path: `/replies/${path}`, actual: null }] }
  }
  const { finished, broken_off } = rehearsed
  if (finished === null) return { ...base, ok: false, error: broken_off ?? 'It was called off', differences: [] }
  const differences = await inTurns(comparing(test, rehearsed))
  return { ...base, ok: differences.length === 0, error: null, differences }
}

/** So many are listed of one test, about. */
const most_listed = 50
/** Of a value that is shown in a difference, as JSON. */
const most_chars = 2_000

const shown = (value: Json): Json => {
  if (jsonSize(value, 100 * most_chars) === null) return '[too large to be shown]'
  const text = JSON.stringify(value)
  return text.length <= most_chars ? value : `${text.slice(0, most_chars)}…`
}

/** What came out otherwise than the test expects. */
const comparing = function* ({ expect, ignore = [] }: TestCase, { finished, steps }: Rehearsed): Interruptible<Difference[]> {
  const ignored = pointersOf(ignore)
  const found: Difference[] = []
  const look = function* (expected: Json | undefined, actual: Json | undefined, path: string): Interruptible<void> {
    if (expected === undefined || found.length >= most_listed) return
    for (const { before, after, ...at } of yield* jsonDifferences(expected, actual, { path, ignored, most: most_listed }))
      found.push({
        ...at,
        ...(before === undefined ? {} : { expected: shown(before) }),
        ...(after === undefined ? {} : { actual: shown(after) }),
      })
  }
  yield* look(expect.status, finished?.status, '/status')
  // What it failed with tells more than that there is no output.
  if (finished?.error && expect.status === 'succeeded') found.push({ path: '/error', actual: shown({ ...finished.error }) })
  else yield* look(expect.output, finished?.output, '/output')
  for (const field of ['code', 'node_id'] as const) yield* look(expect.error?.[field], finished?.error?.[field] ?? null, `/error/${field}`)
  for (const [path, output] of Object.entries(expect.steps ?? {})) yield* look(output, steps.get(path)?.output, `/steps/${path}`)
  for (const [path, port] of Object.entries(expect.ports ?? {})) {
    const ended = steps.get(path)
    if (port !== null && ended?.ports?.includes(port) === true) continue
    yield* look(port, ended?.port ?? null, `/ports/${path}`)
  }
  return found
}
