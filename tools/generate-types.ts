import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import pino from 'pino'
import type { Sql } from 'postgres'
import { openDataDirectory } from '../server/src/platform/database/data-directory.ts'
import { startEmbeddedPostgres } from '../server/src/platform/database/embedded.ts'
import { driverOptions, openClient } from '../server/src/platform/database/link.ts'
import { openDatabase } from '../server/src/platform/database/open.ts'
import { allMigrations } from '../server/src/platform/testing/all-migrations.ts'

const target = new URL('../server/src/platform/database/types.ts', import.meta.url)

/**
 * Writes the table types that Kysely works with, read off a freshly migrated database. With `check` nothing is written. Answers
 * whether the file was up to date.
 */
export const generateTypes = async ({ check }: { readonly check: boolean }): Promise<boolean> => {
  const text = render(await readTables())
  const current = await readFile(target, 'utf8')
  if (!check && text !== current) await writeFile(target, text)
  return text === current
}

interface Column {
  readonly table_name: string
  readonly column_name: string
  /** As `format_type` writes it: `uuid`, `text[]`, `timestamp(3) with time zone`. */
  readonly type: string
  readonly nullable: boolean
  readonly has_default: boolean
  /** Computed by the database, and never written. */
  readonly computed: boolean
  /** The values that a check constraint of the form `column in ('a', 'b')` allows. */
  readonly choices: readonly string[] | null
}

const readTables = async (): Promise<Column[]> => {
  const path = await mkdtemp(join(tmpdir(), 'millrace-types-'))
  const log = pino({ level: 'error' }, pino.destination(2))
  const directory = await openDataDirectory(path)
  try {
    const server = await startEmbeddedPostgres({ directory, log, fsync: false })
    const connection = { host: server.host, port: server.port, user: server.user, database: server.database }
    const database = await openDatabase({ connection, log })
    const owner = openClient(connection, { ...driverOptions({ connection, role: null }), max: 1 })
    try {
      await database.migrate(await allMigrations())
      return await readColumns(owner)
    } finally {
      await Promise.all([database.close(), owner.end()])
      await server.stop()
    }
  } finally {
    await directory.close()
    await rm(path, { recursive: true, force: true })
  }
}

const readColumns = (sql: Sql): Promise<Column[]> => sql<Column[]>`
  select
    c.relname as table_name,
    a.attname as column_name,
    format_type(a.atttypid, a.atttypmod) as type,
    not a.attnotnull as nullable,
    a.atthasdef or a.attidentity <> '' as has_default,
    a.attgenerated <> '' or a.attidentity = 'a' as computed,
    (
      select array_agg(choice[1] order by position)
      from pg_constraint k
      cross join lateral regexp_matches(pg_get_constraintdef(k.oid), '''((?:[^'']|'''')*)''::text', 'g') with ordinality as m (choice, position)
      where k.conrelid = c.oid
        and k.contype = 'c'
        and k.conkey = array[a.attnum]
        and pg_get_constraintdef(k.oid) like 'CHECK ((% = ANY (ARRAY[%'
    ) as choices
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'public'::regnamespace
    and c.relkind in ('r', 'p', 'v')
    and not c.relispartition
  order by c.relname, a.attnum`

const scalars: { readonly [type: string]: string } = {
  bigint: 'number',
  boolean: 'boolean',
  bytea: 'Buffer',
  'double precision': 'number',
  integer: 'number',
  real: 'number',
  smallint: 'number',
}

const typeOf = (column: Column): string => {
  if (column.type === 'json' || column.type === 'jsonb') return jsonType(column)
  const [scalar = '', array] = column.type.split(/(\[\])$/)
  const plain = column.choices?.map((choice) => `'${choice}'`).join(' | ') ?? scalars[scalar] ?? 'string'
  const whole = array === undefined ? plain : plain.includes('|') ? `(${plain})[]` : `${plain}[]`
  const written = column.nullable ? `${whole} | null` : whole
  if (column.computed) return `GeneratedAlways<${written}>`
  return column.has_default ? `Generated<${written}>` : written
}

/** What is written is typed by whoever writes it, and need not be of the shape `Json`: an interface never is. */
const jsonType = ({ nullable, has_default }: Column): string => {
  const orNull = nullable ? ' | null' : ''
  const inserted = has_default || nullable ? ' | undefined' : ''
  return `ColumnType<Json${orNull}, JsonInput${orNull}${inserted}, JsonInput${orNull}>`
}

const render = (columns: readonly Column[]): string => {
  const tables = Map.groupBy(columns, (column) => column.table_name)
  const interfaces = [...tables].map(([table, own]) => {
    const fields = own.map((column) => `  ${column.column_name}: ${typeOf(column)}\n`)
    return `export interface ${pascal(table)} {\n${fields.join('')}}\n`
  })
  const database = `export interface Database {\n${[...tables.keys()].map((table) => `  ${table}: ${pascal(table)}\n`).join('')}}\n`
  const body = [...interfaces, database].join('\n')
  const used = ['ColumnType', 'Generated', 'GeneratedAlways'].filter((name) => body.includes(`${name}<`))
  const hasJson = body.includes('JsonInput')
  const imports = [
    ...(used.length > 0 ? [`import type { ${used.join(', ')} } from 'kysely'`] : []),
    ...(hasJson ? [`import type { Json } from '../../lib/json.ts'`, '', 'type JsonInput = object | string | number | boolean'] : []),
  ]
  return ['// Generated from the migrated database by `npm run generate`. Do not edit.', ...imports, '', body].join('\n')
}

const pascal = (name: string): string =>
  `${name
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')}Table`

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const check = process.argv.includes('--check')
  const current = await generateTypes({ check })
  if (check && !current) {
    process.stderr.write('The table types are out of date: run `npm run generate` and commit what changes.\n')
    process.exitCode = 1
  }
}
