import fc from 'fast-check'
import { Type } from 'typebox'
import { expect, test } from 'vitest'
import { keyset, type Page } from './paging.ts'

const byTime = keyset(Type.Tuple([Type.String({ format: 'date-time' }), Type.String({ format: 'uuid' })]))
const byNumber = keyset(Type.Tuple([Type.Integer()]))

interface Row {
  readonly n: number
}

/** What a store answers: rows after the key, one more than asked for. */
const rowsAfter = (all: readonly Row[], after: readonly [number] | null, limit: number): readonly Row[] =>
  all.filter(({ n }) => after === null || n > after[0]).slice(0, limit + 1)

test('pages one after the other give every item once, in order', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(1_000), { maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (numbers, limit) => {
      const all = numbers.toSorted((a, b) => a - b).map((n) => ({ n }))
      const seen: Row[] = []
      let cursor: string | null = null
      do {
        const rows = rowsAfter(all, byNumber.after(cursor === null ? {} : { cursor }), limit)
        const page = byNumber.page(rows, limit, ({ n }) => [n])
        expect(page.items.length).toBeLessThanOrEqual(limit)
        seen.push(...page.items)
        cursor = page.next_cursor
      } while (cursor !== null)
      expect(seen).toEqual(all)
    }),
  )
})

test('a list in memory is paged like one in the database, in both directions', () => {
  const byNames = keyset(Type.Tuple([Type.String(), Type.String()]))
  const name = fc.constantFrom('a', 'b', 'c', 'd')
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(name, name), { selector: (key) => key.join() }),
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom('asc' as const, 'desc' as const),
      (rows, limit, order) => {
        const seen: (readonly [string, string])[] = []
        let cursor: string | null = null
        do {
          const page: Page<readonly [string, string]> = byNames.pageOfAll(
            rows,
            { limit, order, total: true, ...(cursor === null ? {} : { cursor }) },
            (row) => row,
          )
          expect(page.items.length).toBeLessThanOrEqual(limit)
          expect(page.total).toBe(rows.length)
          seen.push(...page.items)
          cursor = page.next_cursor
        } while (cursor !== null)
        const sorted = rows.toSorted((a, b) => (a.join() < b.join() ? -1 : 1))
        expect(seen).toEqual(order === 'asc' ? sorted : sorted.toReversed())
      },
    ),
  )
})

test('a list that just fits its page has no next one', () => {
  expect(byNumber.page([{ n: 1 }, { n: 2 }], 2, ({ n }) => [n])).toEqual({ items: [{ n: 1 }, { n: 2 }], next_cursor: null })
  expect(byNumber.page([], 2, ({ n }: Row) => [n], 0)).toEqual({ items: [], next_cursor: null, total: 0 })
})

test('a cursor of another list, or of nobody, is refused', () => {
  const foreign = byNumber.page([{ n: 1 }, { n: 2 }], 1, ({ n }) => [n]).next_cursor as string
  for (const cursor of [
    foreign,
    'x',
    '%',
    'bnVsbA',
    Buffer.from('["now","id"]').toString('base64url'),
    Buffer.from('[').toString('base64url'),
  ]) {
    expect(() => byTime.after({ cursor })).toThrow('cursor is not a cursor of this list')
  }
  expect(byTime.after({})).toBeNull()
})

test('no text at all makes a cursor that breaks anything', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.json().map((json) => Buffer.from(json).toString('base64url')),
      ),
      (cursor) => {
        try {
          const key = byNumber.after({ cursor })
          expect(Number.isInteger(key?.[0])).toBe(true)
        } catch (error) {
          expect(error).toMatchObject({ code: 'http.validation_failed' })
        }
      },
    ),
  )
})
