import { nodeTypes } from '../../../engine/engine.ts'
import { limits } from '../../../engine/graph/definition.ts'
import type { TestCase } from '../../../engine/graph/test-case.ts'
import { readRecorded, type Recorded } from '../../../engine/rehearsal/recorded.ts'
import { runTests, type TestReport } from '../../../engine/rehearsal/run-tests.ts'
import { testOf } from '../../../engine/rehearsal/test-of.ts'
import type { Ctx } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { requireRevision } from '../../../platform/http/etag.ts'
import { changesOf } from '../changes.ts'
import { errors } from '../errors.ts'
import * as events from '../events.ts'
import { problemsOf, refuse } from '../publish.ts'
import * as store from '../store.ts'
import { checkSize, lock, nowOf } from '../workflows.ts'
import type { NewTest, SavedTest } from './schema.ts'

/**
 * Runs the tests of the draft, or those of them that are named, in memory: nothing is written and nothing is sent. Errors: 404
 * `workflows.not_found`, 412, 422 `workflows.not_publishable` where the draft has mistakes, 422 for a name that no test has, 503 `engine.tests_busy`.
 */
export const run = async (
  ctx: Ctx,
  id: string,
  { names }: { readonly names?: readonly string[] | undefined },
  revision: number | null,
): Promise<TestReport> => {
  const row = await store.workflowById(ctx.db, id)
  if (row === undefined) throw errors.not_found()
  requireRevision(row, revision)
  const { definition, workspace_id } = row
  const all = definition.tests ?? []
  const unknown = (names ?? []).flatMap((name, index) => (all.some((test) => test.name === name) ? [] : [index]))
  if (unknown.length > 0)
    throw httpErrors.validation_failed({
      errors: unknown.map((index) => ({ path: `names.${index}`, message: 'The draft has no test of this name' })),
    })
  refuse(await problemsOf(ctx, id, definition))
  const tests = names === undefined ? all : all.filter(({ name }) => names.includes(name))
  return runTests(ctx, { definition, tests, workspace_id, workflow_id: id, signal: ctx.signal })
}

/** What an execution that has ended was. Errors: 404 `workflows.execution_not_found`, 409 `workflows.not_replayable`. */
const replayable = async (ctx: Ctx, execution_id: string): Promise<Recorded> => {
  const recorded = await readRecorded(ctx, execution_id)
  if (recorded === null) throw errors.execution_not_found()
  if (recorded === 'too_large') throw errors.not_replayable({ detail: 'Its journal is too large.' })
  if (recorded.status !== 'succeeded' && recorded.status !== 'failed')
    throw errors.not_replayable({ detail: `The execution is ${recorded.status}.` })
  return recorded
}

/**
 * Adds to the draft the test that an execution would pass: its trigger, what its effects were answered, and what came of it. Errors: 404,
 * 409 `workflows.not_replayable`, 409 `workflows.test_exists`, 409 `workflows.too_many_tests`, 409 `workflows.wrong_status`, 422 where it does not
 * fit into the draft.
 */
export const saveAsTest = async (ctx: Ctx, execution_id: string, input: NewTest): Promise<SavedTest> => {
  const recorded = await replayable(ctx, execution_id)
  const test = testOf(recorded, ctx.use(nodeTypes), input)
  return ctx.tx(async (tx) => {
    const before = await lock(tx, recorded.workflow_id, null)
    if (before.status === 'archived') throw errors.wrong_status({ detail: 'An archived workflow is not changed.' })
    const definition = { ...before.definition, tests: withTest(before.definition.tests ?? [], test, input.replace === true) }
    checkSize(definition)
    const row = await store.updateWorkflow(tx.db, recorded.workflow_id, { definition }, nowOf(tx))
    const told = { workflow_id: row.id, name: row.name, revision: row.revision, fields: ['definition'] }
    tx.emit(events.updated, told, changesOf(before, row))
    return { workflow_id: row.id, workflow_revision: row.revision, test }
  })
}

const withTest = (tests: readonly TestCase[], test: TestCase, replace: boolean): TestCase[] => {
  const at = tests.findIndex(({ name }) => name === test.name)
  if (at !== -1 && !replace) throw errors.test_exists()
  if (at !== -1) return tests.with(at, test)
  if (tests.length >= limits.tests) throw errors.too_many_tests()
  return [...tests, test]
}
