import type { PostgresType } from 'postgres'
import { parseArray, writeArray } from './array-literal.ts'

/**
 * A `timestamptz` as PostgreSQL writes it in a UTC session (`2026-11-20 09:50:00.123+00`) as ISO 8601 with milliseconds.
 * What ISO 8601 has no word for (`infinity`, years before Christ) stays as it is.
 */
export const parseTime = (text: string): string => {
  if (text.endsWith('+00') && text.charCodeAt(10) === 32) {
    const fraction = text.length === 22 ? '.000' : text.charCodeAt(19) === 46 ? text.slice(19, -3).padEnd(4, '0').slice(0, 4) : null
    if (fraction !== null) return `${text.slice(0, 10)}T${text.slice(11, 19)}${fraction}Z`
  }
  const time = new Date(text)
  return Number.isNaN(time.getTime()) ? text : time.toISOString()
}

/** A value for a `json` column, written once and kept beside what it says. */
class JsonValue {
  readonly value: unknown
  readonly text: string

  constructor(value: unknown, text: string) {
    this.value = value
    this.text = text
  }

  toJSON(): unknown {
    return this.value
  }

  toString(): string {
    return this.text
  }
}

/**
 * Makes a parameter safe to hand to the driver, or throws a TypeError. A serialiser that throws while a statement is being
 * written leaves the driver waiting for the answer to a statement it never sent, and every later answer on that connection goes to the
 * wrong caller; so whatever could throw is found here, before anything is written.
 */
export const checkParameter = (value: unknown): unknown => {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return value
    case 'bigint':
      return value.toString()
    case 'object':
      if (value === null) return null
      if (Array.isArray(value)) return value.map(checkParameter)
      if (value instanceof Date) return value.toISOString()
      if (value instanceof Uint8Array) return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`
      if (value instanceof JsonValue) return value
      return new JsonValue(value, toJsonText(value))
    default:
      throw new TypeError(`A value of type ${typeof value} cannot be a parameter of a query.`)
  }
}

const toJsonText = (value: unknown): string => {
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw new TypeError('A value that JSON cannot say cannot be a parameter of a query.')
  return text
}

const asIs = (text: string): string => text
const toText = (value: unknown): string => (value === true ? 't' : value === false ? 'f' : String(value))
const toJson = (value: unknown): string => (value instanceof JsonValue ? value.text : JSON.stringify(value))

/** Type oid, oid of its array, and how both directions go. The oids are fixed in PostgreSQL's `pg_type.dat`. */
const scalars: readonly (readonly [oid: number, array: number, parse: (text: string) => unknown, write?: (value: unknown) => string])[] = [
  [16, 1000, (text) => text === 't'], // bool
  [17, 1001, (text) => Buffer.from(text.slice(2), 'hex')], // bytea
  [19, 1003, asIs], // name
  [20, 1016, Number], // int8
  [21, 1005, Number], // int2
  [23, 1007, Number], // int4
  [25, 1009, asIs], // text
  [26, 1028, Number], // oid
  [114, 199, (text) => JSON.parse(text), toJson], // json
  [700, 1021, Number], // float4
  [701, 1022, Number], // float8
  [869, 1041, asIs], // inet
  [1043, 1015, asIs], // varchar
  [1082, 1182, asIs], // date
  [1114, 1115, asIs], // timestamp
  [1184, 1185, parseTime], // timestamptz
  [1186, 1187, asIs], // interval
  [1700, 1231, asIs], // numeric
  [2950, 2951, asIs], // uuid
  [3802, 3807, (text) => JSON.parse(text), toJson], // jsonb
  [5069, 271, asIs], // xid8
]

/**
 * How values cross the wire, by type oid. Times are ISO 8601 strings (a Date is accepted going in), `int8` is a number (ours
 * stay below 2^53), `json` and `jsonb` are parsed and take any value that JSON can say. A number of arbitrary precision and
 * a calendar date stay text. Serialisers never throw for what `checkParameter` lets through and always give a string.
 */
export const valueTypes = (): Record<string, PostgresType> => {
  const types: Record<string, PostgresType> = {}
  for (const [oid, array, parse, write = toText] of scalars) {
    types[`type_${oid}`] = { to: oid, from: [oid], parse, serialize: write }
    types[`type_${array}`] = {
      to: array,
      from: [array],
      parse: (text: string) => parseArray(text, parse),
      serialize: (value: unknown) => (Array.isArray(value) ? writeArray(value, write) : toText(value)),
    }
  }
  return types
}
