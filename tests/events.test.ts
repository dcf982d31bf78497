import { globSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { composed } from '../server/src/app.ts'
import { modules } from '../server/src/modules.ts'

const source = join(import.meta.dirname, '../server/src')

interface Declared {
  readonly file: string
  readonly name: string
}

/** Every event that a file `events.ts` declares. */
const declarations = async (): Promise<readonly Declared[]> => {
  const files = globSync('{modules,engine}/**/events.ts', { cwd: source })
  const found = await Promise.all(
    files.map(async (file) => {
      const exported = Object.values((await import(join(source, file))) as object) as readonly unknown[]
      return exported.filter(isEvent).map(({ name }) => ({ file, name }))
    }),
  )
  return found.flat()
}

const isEvent = (value: unknown): value is { readonly name: string } =>
  typeof value === 'object' && value !== null && 'name' in value && 'doc' in value && 'data' in value

test('every event that is declared is in the list of its module: one that is not would be left out of the audit and the reference', async () => {
  const listed = new Set(composed(modules).flatMap(({ events = [] }) => events.map(({ name }) => name)))
  const all = await declarations()
  expect(all.length).toBeGreaterThan(40)
  expect(all.filter(({ name }) => !listed.has(name))).toEqual([])
})

test('an event that says what it is about names one of its own ids', () => {
  const events = composed(modules).flatMap(({ events: own = [] }) => own)
  const targeted = events.filter(({ target }) => target !== undefined)
  expect(targeted.length).toBeGreaterThan(0)
  const fieldsOf = ({ data }: (typeof events)[number]) => Object.keys((data as { readonly properties?: object }).properties ?? {})
  expect(targeted.filter((event) => !fieldsOf(event).includes(event.target as string)).map(({ name }) => name)).toEqual([])
})
