import { expect, test } from 'vitest'
import type { DefinitionNode } from './graph/definition.ts'
import { namedVariables } from './named-variables.ts'

const named = (...texts: readonly string[]) => namedVariables([{ id: 'n', type: 'data.set', config: { values: { deep: [{ texts }] } } }])

test('what a definition names of the variables is read off its texts', () => {
  expect(named('{{ trigger.body }}', 'plain')).toBeNull()
  expect(named('{{ vars.region }}-{{ vars . ?tier }}', `{{ vars["a"] + vars['b'] + vars[?"c"] }}`)).toEqual(
    new Set(['region', 'tier', 'a', 'b', 'c']),
  )
  expect(named('variables of evars.x and vars_y')).toBeNull()
})

test('a name that is worked out, or all of them at once, asks for all', () => {
  for (const text of [
    '{{ vars[trigger.name] }}',
    '{{ vars }}',
    'const { vars } = context',
    '{{ size(vars) }}',
    "vars['a' + 'b']",
    'vars["constructor"',
  ])
    expect(named(text)).toBe('all')
})

test('conditions for another try count as well', () => {
  const node = { id: 'n', type: 'http.request', retry: { max_attempts: 2, retry_if: 'vars.again' } } as unknown as DefinitionNode
  expect(namedVariables([node])).toEqual(new Set(['again']))
})
