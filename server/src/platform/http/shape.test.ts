import fc from 'fast-check'
import { Type } from 'typebox'
import { Compile } from 'typebox/schema'
import { expect, test } from 'vitest'
import { shapeOf } from './shape.ts'
import { type JsonSchema, strict } from './strict.ts'

const plain = (schema: unknown): JsonSchema => schema as JsonSchema
const shaped = (schema: unknown, value: unknown): unknown => shapeOf(plain(schema))(value)

test('only the fields of the schema are left', () => {
  const schema = Type.Object({ a: Type.String(), b: Type.Optional(Type.Object({ c: Type.Integer() })) })
  expect(shaped(schema, { a: 'x', b: { c: 1, d: 2 }, e: 3 })).toEqual({ a: 'x', b: { c: 1 } })
  expect(shaped(schema, { a: 'x' })).toEqual({ a: 'x' })
  expect(shaped(Type.Array(schema), [{ a: 'x', e: 3 }])).toEqual([{ a: 'x' }])
  expect(shaped(Type.Record(Type.String(), schema), { one: { a: 'x', e: 3 } })).toEqual({ one: { a: 'x' } })
})

test('of a union the branch that fits says what is left', () => {
  const schema = Type.Union([
    Type.Object({ kind: Type.Literal('circle'), radius: Type.Number() }),
    Type.Object({ kind: Type.Literal('square'), side: Type.Number() }),
    Type.Null(),
  ])
  expect(shaped(schema, { kind: 'square', side: 2, radius: 3 })).toEqual({ kind: 'square', side: 2 })
  expect(shaped(schema, null)).toBeNull()
  expect(() => shaped(schema, { kind: 'line', secret: 1 })).toThrow('fits no branch')
})

test('an intersection leaves the fields of all its parts', () => {
  const schema = Type.Intersect([Type.Object({ a: Type.String() }), Type.Object({ b: Type.Object({ c: Type.String() }) })])
  expect(shaped(schema, { a: 'x', b: { c: 'y', d: 1 }, e: 1 })).toEqual({ a: 'x', b: { c: 'y' } })
})

test('an object that says nothing of its fields passes as it is', () => {
  const free = { any: { thing: [1, { x: null }] } }
  for (const schema of [
    Type.Unknown(),
    Type.Any(),
    Type.Record(Type.String(), Type.Unknown()),
    Type.Object({}, { additionalProperties: true }),
  ]) {
    expect(shaped(schema, free)).toEqual(free)
  }
  expect(shaped(Type.Object({ a: Type.Unknown() }), { a: free, b: 1 })).toEqual({ a: free })
})

test('a schema that contains itself is followed all the way down', () => {
  const Tree = Type.Cyclic({ Tree: Type.Object({ name: Type.String(), children: Type.Array(Type.Ref('Tree')) }) }, 'Tree')
  expect(shaped(Tree, { name: 'a', x: 1, children: [{ name: 'b', x: 1, children: [] }] })).toEqual({
    name: 'a',
    children: [{ name: 'b', children: [] }],
  })
})

const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null))
const tree = fc.letrec((tie) => ({
  schema: fc.oneof(
    { maxDepth: 4 },
    fc.constant({}),
    fc.record({ type: fc.constant('object'), properties: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('schema')) }),
    fc.record({ type: fc.constant('array'), items: tie('schema') }),
  ),
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('value')),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
}))

test('what is left of any value that fits has no field that the schema does not name, and loses none that it names', () => {
  fc.assert(
    fc.property(tree.schema, tree.value, (schema, value) => {
      fc.pre(Compile(schema as JsonSchema).Check(value))
      const left = shaped(schema, value)
      expect(Compile(strict(schema as JsonSchema)).Check(left)).toBe(true)
      expect(shaped(schema, left)).toEqual(left)
    }),
    { numRuns: 500 },
  )
})

test('closing a schema closes every object in it, once around an intersection, and leaves open what says so', () => {
  const check = (schema: unknown, value: unknown): boolean => Compile(strict(plain(schema))).Check(value)
  const nested = Type.Object({
    list: Type.Array(Type.Object({ a: Type.Optional(Type.String()) })),
    u: Type.Optional(Type.Union([Type.Object({ b: Type.String() }), Type.Null()])),
  })
  expect(check(nested, { list: [{ a: 'x' }], u: { b: 'x' } })).toBe(true)
  expect(check(nested, { list: [{ z: 1 }] })).toBe(false)
  expect(check(nested, { list: [], u: { b: 'x', z: 1 } })).toBe(false)
  const both = Type.Intersect([Type.Object({ a: Type.String() }), Type.Object({ b: Type.String() })])
  expect([check(both, { a: '', b: '' }), check(both, { a: '', b: '', z: 1 })]).toEqual([true, false])
  const open = Type.Object({ a: Type.String() }, { additionalProperties: true })
  expect(check(open, { a: '', z: 1 })).toBe(true)
  expect(check(Type.Record(Type.String(), Type.Integer()), { z: 1 })).toBe(true)
})
