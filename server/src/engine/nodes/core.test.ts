import { Value } from 'typebox/value'
import { expect, test } from 'vitest'
import type { Json } from '../../lib/json.ts'
import { NodeFailure, type NodeType } from '../node.ts'
import { coreNodes } from './core.ts'
import { setNode } from './data-set.ts'
import { ifNode } from './flow-if.ts'
import { respondNode } from './http-respond.ts'
import { methodsOf, WebhookConfig } from './trigger-webhook.ts'

const run = (node: NodeType, config: Json, input: Json = null) => {
  if (node.kind !== 'pure') throw new Error('pure nodes only')
  return node.run({ config: config as never, input, inputs: {} })
}

const failure = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof NodeFailure) return error.code
    throw error
  }
  return 'none'
}

test('every core type has a name of its own and says what it is', () => {
  expect(new Set(coreNodes.map(({ type }) => type)).size).toBe(coreNodes.length)
  for (const { type, title, description, icon } of coreNodes) {
    expect(type).toMatch(/^[a-z]+\.[a-z_]+$/)
    expect(
      [title, description, icon].every((text) => text.length > 0),
      type,
    ).toBe(true)
  }
})

test('set makes an object of its values, and keeps the fields of its input when told to', () => {
  expect(run(setNode, { values: { a: 1 } }, { a: 0, b: 2 })).toEqual({ output: { a: 1 } })
  expect(run(setNode, { values: { a: 1 }, keep: true }, { a: 0, b: 2 })).toEqual({ output: { a: 1, b: 2 } })
  expect(run(setNode, { values: { a: 1 }, keep: true }, [1, 2])).toEqual({ output: { a: 1 } })
})

test('set keeps a field of any name as a field', () => {
  const { output } = run(setNode, { values: {}, keep: true }, JSON.parse('{"__proto__": {"admin": true}}') as Json)
  expect(JSON.stringify(output)).toBe('{"__proto__":{"admin":true}}')
  expect((output as { admin?: unknown }).admin).toBeUndefined()
})

test('if leaves through true or false with its input, and takes nothing else for a condition', () => {
  expect(run(ifNode, { condition: true }, { a: 1 })).toEqual({ output: { a: 1 }, port: 'true' })
  expect(run(ifNode, { condition: false }, 5)).toEqual({ output: 5, port: 'false' })
  for (const condition of [null, 0, 1, 'true', '', [], {}]) expect(failure(() => run(ifNode, { condition }))).toBe('flow.not_a_condition')
})

test('respond answers with its body, or with its input', () => {
  expect(run(respondNode, { body: { ok: true } })).toEqual({
    output: { status: 200, body: { ok: true } },
    reply: { status: 200, headers: {}, body: { ok: true } },
  })
  expect(run(respondNode, { status: 404 }, 'input').reply).toEqual({ status: 404, headers: {}, body: 'input' })
  expect(run(respondNode, { body: null }, 'input').reply?.body).toBeNull()
})

test('respond sets headers, but none that could end early, break the framing or pose as the server’s', () => {
  const headers = { 'Content-Type': 'text/plain', 'X-Count': 3, 'X-None': null }
  expect(run(respondNode, { headers, body: 'x' }).reply?.headers).toEqual({ 'content-type': 'text/plain', 'x-count': '3' })
  for (const bad of [
    { 'X-A': 'a\r\nSet-Cookie: b=c' },
    { 'X A': 'a' },
    { 'Content-Length': '5' },
    { 'transfer-encoding': 'chunked' },
    { 'X-Millrace-Execution-Id': 'x' },
    { 'X-A': ['a'] },
    { 'X-A': '\u0000' },
    { '': 'a' },
  ])
    expect(
      failure(() => run(respondNode, { headers: bad, body: 1 })),
      JSON.stringify(bad),
    ).toBe('http.bad_header')
})

test('a webhook listens to POST unless told otherwise, on a path of plain segments', () => {
  expect(methodsOf({ path: 'a' })).toEqual(['POST'])
  expect(methodsOf({ path: 'a', method: 'GET' })).toEqual(['GET'])
  expect(methodsOf({ path: 'a', methods: ['PUT', 'PATCH'] })).toEqual(['PUT', 'PATCH'])
  const takes = (path: string) => Value.Check(WebhookConfig, { path })
  expect(['a', 'orders/new', 'v1.2/~x_-y', 'A9'].map(takes)).toEqual([true, true, true, true])
  expect(['', '/a', 'a/', 'a//b', '..', 'a/../b', '.a', 'a b', 'a?b', 'a%2fb', 'ä', 'a\n', 'x'.repeat(201)].filter(takes)).toEqual([])
})
