import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { check } from '../../../engine/check.ts'
import type { Definition } from '../../../engine/graph/definition.ts'
import { coreNodes } from '../../../engine/nodes/core.ts'
import { runTests } from '../../../engine/rehearsal/run-tests.ts'
import { type TestApp, testApp } from '../../../test-app.ts'
import type { NodeType } from '../../../engine/node.ts'
import type { Json } from '../../../lib/json.ts'
import { modules } from '../../../modules.ts'
import * as integrationTypes from '../../integrations/types.ts'
import { categories } from './built-in/define.ts'
import { catalogue } from './catalogue.ts'
import { fill, parametersIn } from './fill.ts'
import { problemsOf } from './generalise.ts'
import type { Parameter, ParameterSchema } from './schema.ts'
import { valuesFor } from './values.ts'

const types = [...coreNodes, ...modules.flatMap((module) => (module.nodes ?? []) as readonly NodeType[])]
const nodeTypes = new Map(types.map((type) => [type.type, type]))

let mill: TestApp
beforeAll(async () => {
  mill = await testApp()
})
afterAll(() => mill.close())

const sampleOf = ({ type, format, items }: ParameterSchema): Json => {
  if (format === 'uuid') return '01900000-0000-7000-8000-000000000001'
  if (format === 'uri') return 'https://example.org/x'
  if (format === 'email') return 'ada@example.org'
  if (type === 'array') return items?.type === 'string' ? ['ada@example.org'] : [1]
  return type === 'string' ? 'a text' : type === 'boolean' ? true : type === 'object' ? {} : 1
}

type Kind = 'as it comes' | 'with the least' | 'with the most'

/** Numbers at the ends of what they may be; whoever publishes with other values must not be held up by the template's own tests. */
const valueOf = ({ schema, default: fallback }: Parameter, kind: Kind): Json => {
  const value = fallback === undefined ? sampleOf(schema) : fallback
  if (typeof value !== 'number' || kind === 'as it comes') return value
  const end = kind === 'with the least' ? schema.minimum : schema.maximum
  expect([schema, end]).toEqual([schema, expect.any(Number)])
  return end as number
}

test('ids are slugs, and each is there once', () => {
  const ids = catalogue.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
})

test.each(catalogue.map((template) => [template.id, template] as const))(
  '%s is in order and can be published once its values are there',
  async (_, template) => {
    const { parameters, definition, tests = [], description, category } = template
    expect(problemsOf({ parameters, definition, tests })).toEqual([])
    const used = new Set(parametersIn({ definition, tests }))
    expect(parameters.map(({ name }) => name).filter((name) => !used.has(name))).toEqual([])
    expect(categories).toContain(category)
    expect(description).toMatch(/^[A-Z`].*\.$/)
    for (const { integration_type } of parameters)
      if (integration_type !== undefined) expect(integrationTypes.typeOf(integration_type), integration_type).toBeDefined()
    for (const kind of ['as it comes', 'with the least', 'with the most'] as const) {
      const given = Object.fromEntries(parameters.map((parameter) => [parameter.name, valueOf(parameter, kind)]))
      const { values, mistakes } = valuesFor(parameters, given)
      expect(mistakes).toEqual([])
      const filled = fill({ ...definition, tests: [...tests] }, values) as unknown as Definition
      const { problems } = check(filled, { nodeTypes })
      expect(problems).toEqual([])
      expect(tests.length).toBeGreaterThan(0)
      const { results } = await runTests(mill.app, { definition: filled })
      expect(results.filter(({ ok, unused_replies }) => !ok || unused_replies.length > 0)).toEqual([])
    }
  },
)

test('the page has a line for each template, with what it needs, in their order', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../../docs/how-to/start-from-a-template.md'), 'utf8')
  for (const category of categories) expect(page).toContain(`\`${category}\``)
  const lines = page.split('\n').filter((line) => /^\| `[a-z0-9-]+` \|/.test(line))
  expect(lines).toEqual(
    catalogue.map(({ id, title, parameters }) => {
      const needed = parameters.filter(({ default: fallback }) => fallback === undefined)
      const needs = needed.flatMap(({ integration_type, refers_to }) => integration_type ?? refers_to ?? [])
      return `| \`${id}\` | ${title} | ${needs.length === 0 ? '' : `${[...new Set(needs)].join(', ')} `}|`
    }),
  )
})
