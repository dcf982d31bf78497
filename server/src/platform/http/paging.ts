import type { Static, TSchema } from 'typebox'
import { Type } from 'typebox'
import { Compile } from 'typebox/schema'
import { invalid } from './validate.ts'

export const default_limit = 50

/** What every list takes; a list spreads it into its query and adds its filters: `Type.Object({ ...pageQuery, status: … })`. */
export const pageQuery = {
  limit: Type.Integer({ minimum: 1, maximum: 200, default: default_limit, description: 'Items per page.' }),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 2_000, description: '`next_cursor` of the page before.' })),
  order: Type.Union([Type.Literal('asc'), Type.Literal('desc')], { default: 'desc', description: 'Oldest or newest first.' }),
  total: Type.Optional(Type.Boolean({ description: 'Count all items as well, which costs more than the page.' })),
}

export const PageQuery = Type.Object(pageQuery)
export type PageQuery = Static<typeof PageQuery>

/** The reply of a list. */
export const pageOf = <Item extends TSchema>(item: Item) =>
  Type.Object({
    items: Type.Array(item),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: 'Null on the last page.' }),
    total: Type.Optional(Type.Integer()),
  })

export interface Page<Item> {
  items: Item[]
  next_cursor: string | null
  total?: number
}

/**
 * How a list is ordered: the columns that the keyset goes by, the last of them unique, as `Type.Tuple([Type.String(), Type.String()])` for
 * `created_at, id`. A cursor is the key of the last item in base64url; it says nothing that the item does not, and a
 * changed one only starts the page elsewhere in what the caller may see.
 */
export interface Keyset<Key extends TSchema> {
  /** The key to continue after, or null on the first page. Throws 422 `http.validation_failed` for a cursor that is not ours. */
  readonly after: (query: { readonly cursor?: string }) => Static<Key> | null
  /** Makes the page of `limit + 1` rows: the extra one only tells that there is a next page. */
  readonly page: <Row>(rows: readonly Row[], limit: number, keyOf: (row: Row) => Static<Key>, total?: number) => Page<Row>
  /**
   * The same for a search that looks at so many rows and no more: it may have found few and not be at its end. `go_on_after`: the last that it
   * looked at then, or null.
   */
  readonly searched: <Row>(
    rows: readonly Row[],
    limit: number,
    keyOf: (row: Row) => Static<Key>,
    go_on_after: Static<Key> | null,
    total?: number,
  ) => Page<Row>
  /** Makes the page of a list that is in memory whole, in whatever order. Keys are texts, or lists of texts of one length. */
  readonly pageOfAll: <Row>(rows: readonly Row[], query: PageQuery, keyOf: (row: Row) => Static<Key>) => Page<Row>
}

export const keyset = <Key extends TSchema>(key: Key): Keyset<Key> => {
  const form = Compile(key)
  const after: Keyset<Key>['after'] = ({ cursor }) => {
    if (cursor === undefined) return null
    const value = decode(cursor)
    if (!form.Check(value)) throw invalid([{ path: 'cursor', message: 'is not a cursor of this list' }])
    return value
  }
  const page: Keyset<Key>['page'] = (rows, limit, keyOf, total) => {
    const items = rows.slice(0, limit)
    const last = items.at(-1)
    const more = rows.length > limit && last !== undefined
    return { items, next_cursor: more ? encode(keyOf(last)) : null, ...(total === undefined ? {} : { total }) }
  }
  return {
    after,
    page,
    searched: (rows, limit, keyOf, go_on_after, total) => {
      const found = page(rows, limit, keyOf, total)
      return go_on_after === null ? found : { ...found, next_cursor: encode(go_on_after) }
    },
    pageOfAll: (rows, query, keyOf) => {
      const start = after(query)
      const direction = query.order === 'asc' ? 1 : -1
      const rest = rows.filter((row) => start === null || compare(keyOf(row), start) * direction > 0)
      const sorted = rest.toSorted((a, b) => compare(keyOf(a), keyOf(b)) * direction)
      return page(sorted, query.limit, keyOf, query.total === true ? rows.length : undefined)
    },
  }
}

const compare = (a: unknown, b: unknown): number => {
  if (Array.isArray(a) && Array.isArray(b)) return a.map((part, index) => compare(part, b[index])).find((order) => order !== 0) ?? 0
  const [left, right] = [String(a), String(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

const encode = (key: unknown): string => Buffer.from(JSON.stringify(key)).toString('base64url')

const decode = (cursor: string): unknown => {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}
