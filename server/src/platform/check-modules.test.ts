import { Type } from 'typebox'
import { expect, test } from 'vitest'
import { checkModules } from './check-modules.ts'
import { defineSettings } from './config.ts'
import { defineErrors } from './errors.ts'
import { route } from './http/route.ts'
import { defineModule } from './module.ts'
import type { Roles } from './permissions.ts'

const everybody = { viewer: ['notes:read'], member: ['notes:read'], admin: ['notes:read'], owner: ['notes:read'] }
const roles: Roles = { system: { user: [], admin: [] }, workspace: everybody }

const page = (path: string, allow: 'public' | 'notes:read' = 'public') =>
  route({ method: 'GET', path, summary: 'Show', allow, replies: { 200: Type.Object({}) }, handler: () => ({}) })

const notes = defineModule({
  name: 'notes',
  needs: ['users'],
  settings: defineSettings({ size: { env: 'MILLRACE_NOTE_SIZE', type: 'text', default: null, doc: '' } }),
  errors: defineErrors('notes', { gone: { status: 404, title: 'Gone.' } }),
  permissions: { 'notes:read': { doc: '' } },
  events: [{ name: 'notes.written', doc: '', data: Type.Object({}) }],
  routes: [page('/notes/{id}', 'notes:read')],
})
const users = defineModule({ name: 'users' })

test('modules that declare everything once and stand in order are accepted', () => {
  expect(() => checkModules([users, notes], roles)).not.toThrow()
})

test('a module that stands before what it needs, or needs what is not there, is named', () => {
  expect(() => checkModules([notes, users], roles)).toThrow("The module 'notes' needs 'users', which comes after it.")
  expect(() => checkModules([notes], roles)).toThrow("The module 'notes' needs 'users', which is not in the list of modules.")
})

test('modules that need each other are refused', () => {
  const a = defineModule({ name: 'a', needs: ['b'] })
  const b = defineModule({ name: 'b', needs: ['a'] })
  expect(() => checkModules([a, b], roles)).toThrow("The module 'a' needs 'b', which comes after it.")
})

test('everything that is declared twice is named with both owners', () => {
  const copy = defineModule({ ...notes, name: 'copies', needs: [], routes: [page('/notes/{note_id}')] })
  const check = () => checkModules([users, notes, copy], roles)
  for (const what of [
    "setting 'MILLRACE_NOTE_SIZE'",
    "error 'notes.gone'",
    "permission 'notes:read'",
    "event 'notes.written'",
    "route 'GET /api/v1/notes/{}'",
  ]) {
    expect(check).toThrow(`The ${what} is declared by 'notes' and again by 'copies'.`)
  }
  expect(() => checkModules([users, users], roles)).toThrow("The module 'users' is declared by 'users' and again by 'users'.")
})

test('a route that asks for a permission nobody declares is refused', () => {
  const bare = defineModule({ name: 'bare', routes: [page('/bare', 'notes:read')] })
  expect(() => checkModules([bare], roles)).toThrow("asks for the permission 'notes:read', which no module declares")
})

test('a permission that no role has is refused', () => {
  const none: Roles = { system: roles.system, workspace: { viewer: [], member: [], admin: [], owner: [] } }
  expect(() => checkModules([users, notes], none)).toThrow("No role has the permission 'notes:read': give it to one in roles.ts.")
})

test('only one module may turn credentials into an actor', () => {
  const authenticate = () => ({ actor: { type: 'anonymous' } as const, workspace_id: null })
  const modules = [defineModule({ name: 'one', authenticate }), defineModule({ name: 'two', authenticate })]
  expect(() => checkModules(modules, roles)).toThrow("'one' and 'two' both turn credentials into an actor; one alone may.")
})
