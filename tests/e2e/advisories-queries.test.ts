import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { publish, webhookDefinition } from '../../server/src/modules/workflows/definitions.testing.ts'
import { catalogue } from '../../server/src/modules/workflows/templates/catalogue.ts'
import { makeTeam } from '../../server/src/modules/workspaces/team.testing.ts'
import { testApp } from '../../server/src/test-app.ts'
import { expectNoFault, fromAnywhere, isApi, operationsOf, pathOf, rowCounts } from './attack.ts'

const mill = await testApp()
afterAll(mill.close)
const admin = await mill.admin()
const team = await makeTeam(mill, admin)
const workflow_id = await publish(admin, webhookDefinition('queried'))
expect((await mill.call('POST', '/hooks/admin/queried', { body: {} })).status).toBeLessThan(300)
// Somebody with every permission, so that no filter is refused for want of one.
const boss = fromAnywhere(admin.call)

/** Exports are left out: that one was made is itself recorded, and their filters are those of the lists. */
const lists = (await operationsOf(mill)).filter(
  ({ method, path, parameters, ...operation }) =>
    method === 'GET' &&
    isApi({ ...operation, method, path, parameters }) &&
    !path.endsWith('/export') &&
    !path.includes('/oidc/') &&
    parameters.some((one) => one.in === 'query'),
)
const pathOfList = (operation: (typeof lists)[number]): string =>
  pathOf(operation, { id: operation.path.includes('/workspaces/') ? team.id : workflow_id, version: '1' })

/** Stands in every text that is sent, so that it would be found in a statement that it got into. */
const mark = 'zqxmark'
const hostile = fc.oneof(
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 30 }) },
  {
    weight: 3,
    arbitrary: fc
      .array(
        fc.constantFrom(
          ...[
            "'",
            '"',
            '`',
            ';',
            '--',
            '/*',
            '*/',
            '\\',
            '%',
            '_',
            '$1',
            '$$',
            '?',
            '::',
            '||',
            '(',
            ')',
            ',',
            '=',
            '<>',
            '->>',
            '#>',
            '@>',
            '@?',
          ],
          ...[
            ' or ',
            ' and ',
            ' union select ',
            'null',
            'true',
            ' in ',
            ' is ',
            'select',
            'pg_sleep(9)',
            'current_user',
            'chr(39)',
            '{',
            '}',
            '[',
            ']',
          ],
          ...[
            '[$ne]',
            '$gt',
            '$where',
            '__proto__',
            'constructor',
            "e'\\x27'",
            'U&"\\0027"',
            '{"a":',
            '*',
            '**',
            '.',
            '..',
            '\u2019',
            '\uff07',
            '\u02bc',
            '\u0130',
          ],
          ...[
            '0',
            '1',
            '-1',
            '1e9',
            'NaN',
            'infinity',
            '-infinity',
            'now',
            'epoch',
            'today',
            '2026-11-20T00:00:00Z',
            '294276-12-31',
            '4714-11-24 BC',
          ],
        ),
        { minLength: 1, maxLength: 8 },
      )
      .map((parts) => parts.join('')),
  },
)
/** Cursors that are keys of some list in form, with whatever stands in them. */
const uuid = fc.uuid()
const key_part = fc.oneof(
  uuid,
  hostile,
  fc.constantFrom('2026-11-20T00:00:00.000Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:60Z'),
  fc.integer(),
  fc.double(),
  fc.constant(null),
)
const cursor = fc.array(key_part, { maxLength: 4 }).map((parts) => Buffer.from(JSON.stringify(parts)).toString('base64url'))

const valueOf = (name: string) =>
  name === 'cursor'
    ? fc.oneof(cursor, hostile)
    : fc.oneof({ weight: 4, arbitrary: hostile.map((text) => `${text}${mark}`) }, { weight: 1, arbitrary: hostile })
const names = (operation: (typeof lists)[number]) => operation.parameters.filter((one) => one.in === 'query').map(({ name }) => name)
/** Those that take any text, where there are any. */
const freeOf = (operation: (typeof lists)[number]): readonly string[] => {
  const free = names(operation).filter((name) => ['search', 'tag', 'recipient', 'kind', 'action'].includes(name))
  return free.length === 0 ? names(operation) : free
}
const question = fc.constantFrom(...lists).chain((operation) =>
  fc.record({
    operation: fc.constant(operation),
    fields: fc.array(
      fc
        .oneof(
          { weight: 3, arbitrary: fc.constantFrom(...names(operation)) },
          { weight: 6, arbitrary: fc.constantFrom(...freeOf(operation)) },
          { weight: 1, arbitrary: fc.constantFrom('sort', 'filter', 'fields', 'where', 'order_by', 'q', 'search[a]', 'limit[]') },
        )
        .chain((name) => valueOf(name).map((value) => [name, value] as const)),
      { minLength: 1, maxLength: 2 },
    ),
  }),
)

const statementsWith = (text: string) => mill.database.owner<{ query: string }[]>`
  select query
  from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and position(${text} in query) > 0`

test('a mark in a statement would be found', async () => {
  const own = mill.app.asSystem('show that the test can see statements')
  await own.tx(async (tx) => {
    const { sql } = await import('kysely')
    await sql.raw(`select '${mark}'`).execute(tx.db)
    expect((await statementsWith(mark)).length).toBe(1)
    await sql.raw('select 1').execute(tx.db)
  })
  expect((await statementsWith(mark)).length).toBe(0)
})

test('whatever a filter, a search, an order or a cursor holds, it is answered below 500 and reaches the database as a parameter alone', async () => {
  expect(lists.length).toBeGreaterThan(20)
  const before = await rowCounts(mill)
  let answered = 0
  await fc.assert(
    fc.asyncProperty(question, async ({ operation, fields }) => {
      const query = new URLSearchParams(fields.map(([name, value]): [string, string] => [name, value])).toString()
      const reply = await boss('GET', `${pathOfList(operation)}?${query}`)
      expectNoFault(reply, `${operation.name}?${query}`)
      if (reply.status === 200) answered += 1
      expect(await statementsWith(mark)).toEqual([])
    }),
    { numRuns: 1_200, interruptAfterTimeLimit: 25_000, markInterruptAsFailure: false },
  )
  expect(answered).toBeGreaterThan(30)
  expect(await rowCounts(mill)).toEqual(before)
}, 60_000)

/** Those that come with the product have texts of their own. */
const templatesWith = (text: string): number =>
  catalogue.filter(({ title, description }) => title.includes(text) || description.includes(text)).length

test('texts that are searched for stand for themselves in every search', async () => {
  const searches = lists.flatMap((operation) =>
    names(operation)
      .filter((name) => ['search', 'tag', 'recipient', 'kind'].includes(name))
      .map((name) => ({ operation, name })),
  )
  expect(searches.length).toBeGreaterThan(5)
  const wild = ['%', '_', '%%', '_%', '\\', '\\%', "'", "' or ''='", '*', '.*', '[a-z]', '(?i)a']
  for (const { operation, name } of searches) {
    for (const text of wild) {
      const reply = await boss('GET', `${pathOfList(operation)}?${name}=${encodeURIComponent(text)}&total=true`)
      if (reply.status === 422) continue
      expect([operation.name, name, text, reply.status, reply.body.total ?? reply.body.items.length]).toEqual([
        operation.name,
        name,
        text,
        200,
        operation.path.endsWith('/workflows/templates') ? templatesWith(text) : 0,
      ])
    }
  }
})

test('a cursor of one list starts another one nowhere but in what the caller may see', async () => {
  const ben = await mill.register('ben')
  const others = await Promise.all(
    lists.map(async (operation) => (await boss('GET', `${pathOfList(operation)}?limit=1&order=asc`)).body?.next_cursor as string | null),
  )
  const cursors = [...new Set(others.filter((one) => typeof one === 'string'))]
  expect(cursors.length).toBeGreaterThan(3)
  const mine = lists.filter(({ path, admins_only }) => !path.includes('{') && !admins_only)
  for (const operation of mine) {
    const all = JSON.stringify((await ben.call('GET', `${operation.path}?limit=200`)).body)
    for (const one of cursors) {
      const reply = await fromAnywhere(ben.call)('GET', `${operation.path}?limit=200&order=asc&cursor=${one}`)
      expectNoFault(reply, operation.name)
      for (const item of reply.body?.items ?? [])
        expect([operation.name, item.id === undefined || all.includes(item.id)]).toEqual([operation.name, true])
    }
  }
})
