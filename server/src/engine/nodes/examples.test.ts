import { Value } from 'typebox/value'
import { expect, test } from 'vitest'
import { check } from '../check.ts'
import { passOn, begin } from '../graph/plan.ts'
import { modules } from '../../modules.ts'
import type { NodeType } from '../node.ts'
import { coreNodes } from './core.ts'
import { definitionWith, runNode, versionWith } from './node.testing.ts'

const types = [...coreNodes, ...modules.flatMap((module) => (module.nodes ?? []) as readonly NodeType[])]
const nodeTypes = new Map(types.map((type) => [type.type, type]))

test.each(types.map((type) => [type.type, type] as const))('the example of %s can be published', (_, type) => {
  const { example } = type
  expect(example).toBeDefined()
  const config = example?.config ?? {}
  const definition =
    type.kind === 'trigger' ? { nodes: [{ id: 'start', type: type.type, config }], edges: [] } : definitionWith(type, config)
  const { problems } = check(definition, { nodeTypes })
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
})

const withOutput = types.filter(({ example }) => example?.output !== undefined)

test.each(withOutput.map((type) => [type.type, type] as const))('the example of %s gives what it says', (_, type) => {
  const { config = {}, trigger = null, output, ports = ['out'] } = type.example ?? {}
  expect(Value.Check(type.output, output)).toBe(true)
  if (type.kind === 'merge') {
    const run = begin(versionWith(type, config).graph, { node_id: 'start', payload: trigger, at: 0 })
    expect(passOn(run, 1)).toEqual({ output, port: 'out' })
    return
  }
  const result = runNode(type, config, trigger)
  expect(result.output).toEqual(output)
  if (result.stop === undefined) expect(result.ports ?? [result.port ?? 'out']).toEqual(ports)
})

test('every node without effects has an example with its output', () => {
  const pure = types.filter(({ kind }) => kind === 'pure' || kind === 'merge').map(({ type }) => type)
  expect(withOutput.map(({ type }) => type)).toEqual(expect.arrayContaining(pure))
})
