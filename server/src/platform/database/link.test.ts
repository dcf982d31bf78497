import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testDatabase, type TestDatabase } from '../testing/test-database.ts'
import { parseArray, writeArray } from './array-literal.ts'
import { type Link, openLink } from './link.ts'
import { parseTime } from './parsers.ts'

let database: TestDatabase
let link: Link

beforeAll(async () => {
  database = await testDatabase()
  link = await openLink({ connection: database.connection, role: 'millrace_app' })
})
afterAll(async () => {
  await link.close()
  await database.close()
})

const one = async (expression: string, ...parameters: unknown[]): Promise<unknown> => {
  const [row] = await link.send(`select ${expression} as value`, parameters)
  return row?.['value']
}

test('values come as the wire of the product has them', async () => {
  expect(await one(`'2026-11-20 10:50:00.1234+01'::timestamptz`)).toBe('2026-11-20T09:50:00.123Z')
  expect(await one(`'2026-11-20 09:50:00+00'::timestamptz(3)`)).toBe('2026-11-20T09:50:00.000Z')
  expect(await one(`9007199254740991::int8`)).toBe(9007199254740991)
  expect(await one(`12.50::numeric`)).toBe('12.50')
  expect(await one(`'2026-11-20'::date`)).toBe('2026-11-20')
  expect(await one(`'{"a":[1,null]}'::json`)).toEqual({ a: [1, null] })
  expect(await one(`'\\x00ff'::bytea`)).toEqual(Buffer.from([0, 255]))
  expect(await one(`array['2026-11-20 09:50:00+00'::timestamptz, null]`)).toEqual(['2026-11-20T09:50:00.000Z', null])
  expect(await one(`array[[1, 2], [3, 4]]`)).toEqual([
    [1, 2],
    [3, 4],
  ])
  expect(await one(`array[true, false]`)).toEqual([true, false])
})

test('values go out as what the column is', async () => {
  expect(await one('$1::timestamptz', new Date(Date.UTC(2026, 10, 20)))).toBe('2026-11-20T00:00:00.000Z')
  expect(await one('$1::timestamptz', '2026-11-20T00:00:00.000Z')).toBe('2026-11-20T00:00:00.000Z')
  expect(await one('$1::bytea', Buffer.from('mill'))).toEqual(Buffer.from('mill'))
  expect(await one('$1::bool', true)).toBe(true)
  expect(await one('$1::text[]', ['a', null, 'NULL', '{"', ''])).toEqual(['a', null, 'NULL', '{"', ''])
  expect(await one('$1::int8', 9007199254740991n)).toBe(9007199254740991)
  expect(await one('$1::date', '2026-11-20')).toBe('2026-11-20')
  for (const value of [{ a: 1 }, [1, 'two', [null]], 'text', 5, true, [true], '\0\ud800']) {
    expect(await one('$1::json', value)).toEqual(value)
  }
})

test('arrays of any text go there and back', async () => {
  const texts = fc.array(fc.option(fc.string({ unit: 'grapheme' })), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(texts, async (list) => {
      const kept = list.map((text) => text?.replaceAll('\0', '') ?? null)
      expect(parseArray(writeArray(kept, String), String)).toEqual(kept)
      expect(await one('$1::text[]', kept)).toEqual(kept)
    }),
    { numRuns: 50 },
  )
})

test('a time that PostgreSQL writes is the time that it means', () => {
  const times = fc.date({ min: new Date('0001-01-01T00:00:00.000Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
  fc.assert(
    fc.property(times, (time) => {
      const iso = time.toISOString()
      const written = `${iso.slice(0, 10)} ${iso.slice(11, 19)}${iso.slice(19, 23).replace(/\.?0+$/, '')}+00`
      expect(parseTime(written)).toBe(iso)
    }),
  )
  expect(parseTime('infinity')).toBe('infinity')
})

test('a parameter that cannot be written disturbs no other statement on the connection', async () => {
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  const bad: unknown[] = [
    undefined,
    { toJSON: () => undefined },
    Symbol('x'),
    () => 1,
    circular,
    { big: 1n },
    new Date(Number.NaN),
    [undefined],
    [1, [Symbol('y')]],
  ]
  // Each of them is prepared before, so that its parameters would be written the moment it is sent.
  await Promise.all([one('$1::text', 'a'), one('$1::json', {}), one('$1::text[]', ['a']), one('$1::timestamptz', null)])
  const expressions = ['$1::text', '$1::json', '$1::text[]', '$1::timestamptz']
  const sent = Array.from({ length: 400 }, (_, index) => {
    const expression = expressions[index % 4] as string
    return index % 3 === 0 ? one(expression, bad[index % bad.length]) : one('$1::text', `mine ${index}`)
  })
  const outcomes = await Promise.allSettled(sent)
  for (const [index, outcome] of outcomes.entries()) {
    if (index % 3 === 0) expect(outcome.status).toBe('rejected')
    else expect(outcome).toEqual({ status: 'fulfilled', value: `mine ${index}` })
  }
})

test('parameters that the driver would choke on while writing are refused by PostgreSQL and disturb nothing', async () => {
  await Promise.all([one('$1::text[]', ['a']), one('$1::bytea', null), one('$1::int4', 1)])
  const outcomes = await Promise.allSettled([
    one('$1::text[]', 5),
    one('$1::text', 'next'),
    one('$1::bytea', 7),
    one('$1::int4', { not: 'a number' }),
    one('$1::int4', [1, 2]),
    one('$1::text', 'nul \0 byte'),
    one('$1::text', 'last'),
  ])
  expect(outcomes.map(({ status }) => status)).toEqual([
    'rejected',
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
    'rejected',
    'fulfilled',
  ])
  expect(outcomes[6]).toEqual({ status: 'fulfilled', value: 'last' })
})

test('text with a NUL character is not sent as a statement', async () => {
  await expect(link.send('select 1 \0; select 2', [])).rejects.toThrow(TypeError)
  expect(await one('1')).toBe(1)
})

test('a link that is cut fails what is under way, and everything after', async () => {
  const doomed = await openLink({ connection: database.connection, role: 'millrace_system' })
  const [row] = await doomed.send('select pg_backend_pid() as pid', [])
  const waiting = Array.from({ length: 20 }, () => doomed.send('select pg_sleep(10)', []))
  const settled = Promise.allSettled(waiting)
  await database.owner`select pg_terminate_backend(${row?.['pid'] as number})`
  expect((await settled).every(({ status }) => status === 'rejected')).toBe(true)
  expect(doomed.alive()).toBe(false)
  await expect(doomed.send('select 1', [])).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
})
