import { expect, test } from 'vitest'
import type { Scope } from '../database/scope.ts'
import { codeOf } from '../database/errors.ts'
import type { OpenTransaction } from '../database/transaction.ts'
import { listTables } from './catalogue.ts'
import type { TestDatabase } from './test-database.ts'

export interface Tenant {
  readonly user_id: string
  readonly workspace_id: string
}

export interface DenialSuite {
  readonly database: TestDatabase
  /** Has rows in every table that knows workspaces or users. */
  readonly a: Tenant
  /** Another user in another workspace. */
  readonly b: Tenant
  /** Tables that cannot have a row of A yet, each with the reason. One that has rows after all fails the suite. */
  readonly empty?: { readonly [table: string]: string }
}

/**
 * Declares one test for every table that has a `workspace_id` or a `user_id`, read from the catalogue: with rows of A in it, B
 * reads none of them, changes none, removes none, and writes none in A's name. A new table without rows of A fails: give the fixture some.
 */
export const denialSuite = async ({ database, a, b, empty = {} }: DenialSuite): Promise<void> => {
  const seenByOwner: string[] = []
  for (const { name, columns } of await listTables(database.owner)) {
    const column = (['workspace_id', 'user_id'] as const).find((candidate) => columns.includes(candidate))
    if (column === undefined) continue
    test(`${name}: another ${column === 'workspace_id' ? 'workspace' : 'user'} sees, changes and adds nothing`, async () => {
      const rows = await database.owner.unsafe(`select row_to_json(t)::text as row from ${name} as t where ${column} = $1`, [a[column]])
      if (name in empty) {
        expect(rows, `${name} has rows of A: take it off the list of empty tables`).toHaveLength(0)
        return
      }
      expect(rows.length, `the fixture has no row of A in ${name}`).toBeGreaterThan(0)
      const mine = a[column]
      if ((await attempt(database, a, `select from ${name} where ${column} = $1`, [mine])) !== 'nothing') seenByOwner.push(name)
      expect(await attempt(database, b, `select from ${name} where ${column} = $1`, [mine])).toBe('nothing')
      expect(await attempt(database, b, `select from ${name} where ${column} = $1 for update`, [mine])).toBe('nothing')
      expect(await attempt(database, b, `update ${name} set ${column} = ${column} where ${column} = $1`, [mine])).toBe('nothing')
      expect(await attempt(database, b, `delete from ${name} where ${column} = $1`, [mine])).toBe('nothing')
      const copy = `insert into ${name} select (json_populate_record(null::${name}, $1)).*`
      expect(await attempt(database, b, copy, [JSON.parse(rows[0]?.['row'] as string)])).toBe('nothing')
      expect(await attempt(database, b, `update ${name} set ${column} = $1`, [mine])).toBe('nothing')
      const after = await database.owner.unsafe(`select row_to_json(t)::text as row from ${name} as t where ${column} = $1`, [mine])
      expect(new Set(after.map(({ row }) => row))).toEqual(new Set(rows.map(({ row }) => row)))
    })
  }
  test('and it is the policies that keep the rows apart: their own workspace does see them', () => {
    expect(seenByOwner).toContain('events')
    expect(seenByOwner.length).toBeGreaterThan(3)
  })
}

/** What a statement achieves as a tenant: a refusal by policies or grants counts as nothing, any other error is a surprise. */
const attempt = async (database: TestDatabase, as: Tenant, text: string, parameters: readonly unknown[]): Promise<string> => {
  const scope: Scope = { role: 'millrace_app', ...as }
  const undo = new Error('undo')
  let count = 0
  const work = async (tx: OpenTransaction): Promise<never> => {
    count = (await tx.run(text, parameters)).count
    throw undo
  }
  try {
    await database.handle.transaction(scope, work)
  } catch (error) {
    if (error !== undo && codeOf(error) !== '42501') throw error
  }
  return count === 0 ? 'nothing' : `${count} rows`
}
