import { randomUUID } from 'node:crypto'
import { Type } from 'typebox'
import { expect, test } from 'vitest'
import { defineEvent, type EventDeclaration } from '../../platform/events/event.ts'
import { recorded } from './entries.testing.ts'
import { auditedEvents, entryOf, targetsOf } from './entry.ts'

const Id = Type.String()
const event = (fields: readonly string[], more: Partial<EventDeclaration> = {}): EventDeclaration =>
  defineEvent({ name: 'mill.sack.filled', doc: '', data: Type.Object(Object.fromEntries(fields.map((field) => [field, Id]))), ...more })

/** Which field of an event was taken for what it is about, and as what. */
const target = (declared: EventDeclaration, given?: object): unknown => {
  const names = Object.keys((declared.data as unknown as { readonly properties: object }).properties)
  const data = { ...Object.fromEntries(names.map((name) => [name, randomUUID()])), ...given } as { readonly [name: string]: string }
  const entry = entryOf(recorded({ data }), targetsOf([{ name: 'mill', events: [declared] }]))
  return [entry.target_type, names.find((name) => entry.target_id !== null && data[name] === entry.target_id) ?? null]
}

test('an entry is about the account that its event names, else about the first other thing, else about the workspace', () => {
  expect(target(event(['session_id', 'user_id', 'workspace_id']))).toEqual(['user', 'user_id'])
  expect(target(event(['workspace_id', 'workflow_id', 'version_id']))).toEqual(['workflow', 'workflow_id'])
  expect(target(event(['name', 'workspace_id']))).toEqual(['workspace', 'workspace_id'])
  expect(target(event(['from_user_id', 'to_user_id']))).toEqual(['user', 'from_user_id'])
  expect(target(event(['name']))).toEqual([null, null])
})

test('an event may say itself what it is about', () => {
  expect(target(event(['from_user_id', 'to_user_id'], { target: 'to_user_id' }))).toEqual(['user', 'to_user_id'])
})

test('a field that holds no id names nothing', () => {
  expect(target(event(['user_id', 'workflow_id']), { user_id: null })).toEqual(['workflow', 'workflow_id'])
  expect(target(event(['request_id']), { request_id: 'r-1' })).toEqual([null, null])
})

test('events that come in masses are left out by their declaration', () => {
  const mass = defineEvent({ ...event([]), name: 'mill.grain.ground', audit: false })
  expect(auditedEvents([{ name: 'mill', events: [event([]), mass] }, { name: 'empty' }])).toEqual(['mill.sack.filled'])
})

test('a credential that an event holds by mistake does not get into the audit', () => {
  const data = { user_id: randomUUID(), api_key: 'canary', nested: { refresh_token: 'canary' }, code: 'timeout' }
  const entry = entryOf(recorded({ data }), new Map())
  expect(JSON.parse(entry.data)).toEqual({ ...data, api_key: '[redacted]', nested: { refresh_token: '[redacted]' } })
})
