import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, watch, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { StartError } from '../start-error.ts'
import { type DataDirectory, isAlive, openDataDirectory } from './data-directory.ts'
import { type EmbeddedOptions, type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { postgresProcesses } from './postgres-processes.ts'

let root: string
const children: ChildProcess[] = []
const running: EmbeddedPostgres[] = []
const directories: DataDirectory[] = []

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-embedded-'))
})

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(running.map((server) => server.stop()))
  await Promise.all(directories.map((directory) => directory.close()))
  await rm(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
})

interface Entry {
  readonly level: number
  readonly msg: string
  readonly postgres?: string
}

/** One server's database, its log, and a connection to it. */
const start = async (path: string, options: Partial<EmbeddedOptions> = {}) => {
  const entries: Entry[] = []
  const log = pino({ level: 'debug' }, { write: (line) => void entries.push(JSON.parse(line) as Entry) })
  const directory = await openDataDirectory(path)
  directories.push(directory)
  try {
    const server = await startEmbeddedPostgres({ directory, log, fsync: false, ...options })
    running.push(server)
    const sql = connect(server)
    const stop = async (): Promise<void> => {
      await sql.end({ timeout: 0 })
      await server.stop()
      await directory.close()
    }
    return { server, sql, entries, stop, cluster: join(directory.path, 'postgres') }
  } catch (error) {
    await directory.close()
    throw error
  }
}

const connect = ({ host, port, user, database }: Pick<EmbeddedPostgres, 'host' | 'port' | 'user' | 'database'>): postgres.Sql =>
  postgres({ host, port, user, database, max: 2, backoff: () => 0.01, onnotice: () => undefined })

const refusedWith = (started: Promise<unknown>): Promise<unknown> =>
  started.then(
    () => null,
    (error: unknown) => error,
  )

const refusal = async (path: string, options: Partial<EmbeddedOptions> = {}): Promise<StartError> => {
  const error = await refusedWith(start(path, options))
  expect(error).toBeInstanceOf(StartError)
  return error as StartError
}

const program = `
  const { openDataDirectory } = await import(${JSON.stringify(new URL('data-directory.ts', import.meta.url).href)})
  const { startEmbeddedPostgres } = await import(${JSON.stringify(new URL('embedded.ts', import.meta.url).href)})
  const { pino } = await import('pino')
  const directory = await openDataDirectory(process.argv[1])
  const server = await startEmbeddedPostgres({ directory, log: pino({ level: 'silent' }), fsync: false })
  console.log(JSON.stringify({ ...server, pid: server.pid() }))
  setInterval(() => {}, 1000)
`

/** Starts a server in a process of its own. */
const launch = (path: string, { prefix = [] as readonly string[], PATH = process.env['PATH'] } = {}) => {
  const [file, ...args] = [...prefix, process.execPath, '--input-type=module', '-e', program, path]
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, PATH }, cwd: import.meta.dirname })
  children.push(child)
  const exited = once(child, 'exit')
  const ready = once(createInterface({ input: child.stdout }), 'line').then(
    ([line]) => JSON.parse(line as string) as Omit<EmbeddedPostgres, 'pid'> & { pid: number },
  )
  return { ready, kill: async () => void (child.kill('SIGKILL'), await exited) }
}

/** Resolves once it holds; the test's time limit says when it never does. */
const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await delay(10)
}

const answers = (sql: postgres.Sql) =>
  sql`select 1`.then(
    () => true,
    () => false,
  )

test('the first start makes a database without a port, in UTF-8, ordered by code point, that forces its writes to disk', async () => {
  const { server, sql, stop, cluster } = await start(join(root, 'main'), { fsync: true })
  const [row] = await sql`
    select current_user as user, current_database() as database, current_setting('listen_addresses') as addresses,
      current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit, current_setting('TimeZone') as zone,
      pg_encoding_to_char(encoding) as encoding, datlocprovider::text || ' ' || datlocale as locale, 'Z' < 'a' as by_code_point
    from pg_database where datname = current_database()`
  expect(row).toEqual({
    user: 'millrace',
    database: 'millrace',
    addresses: '',
    fsync: 'on',
    commit: 'on',
    zone: 'UTC',
    encoding: 'UTF8',
    locale: 'b C.UTF-8',
    by_code_point: true,
  })
  expect(server.host).toBe(join(root, 'main'))
  expect((await stat(cluster)).mode & 0o777).toBe(0o700)
  expect((await stat(join(server.host, '.s.PGSQL.5432'))).mode & 0o777).toBe(0o700)
  await sql`create table kept (what text)`
  await sql`insert into kept values ('from the first start')`
  await stop()
  expect(server.pid()).toBeNull()
  expect(await postgresProcesses(cluster)).toEqual([])
})

test('the second start finds what the first one saved', async () => {
  const { sql, stop, entries } = await start(join(root, 'main'))
  expect(await sql`select what from kept`).toEqual([{ what: 'from the first start' }])
  await stop()
  expect(entries.filter(({ level }) => level >= 40)).toEqual([])
})

test('settings handed in win over the built-in ones, and one that PostgreSQL does not know is named', async () => {
  const { sql, stop } = await start(join(root, 'main'), { settings: { max_connections: '20' } })
  expect(await sql`show max_connections`).toEqual([{ max_connections: '20' }])
  await stop()
  expect((await refusal(join(root, 'main'), { settings: { no_such_setting: '1' } })).message).toContain('no_such_setting')
})

test.each(['set to die with its server', 'left running'])(
  'a PostgreSQL %s, whose server was killed, gives way to the next start',
  async (kind) => {
    const path = join(root, 'main')
    const bin = join(root, 'bin')
    if (kind === 'left running') {
      // Without setpriv nothing ends PostgreSQL when its server dies.
      await mkdir(bin)
      if (process.getuid?.() === 0) await symlink('/usr/bin/unshare', join(bin, 'unshare'))
    }
    const child = launch(path, kind === 'left running' ? { PATH: bin } : {})
    const orphan = await child.ready
    const before = connect(orphan)
    await before`insert into kept values (${kind})`
    const open = await before.reserve()
    await open`begin`
    await open`insert into kept values ('never committed')`
    await child.kill()
    if (kind === 'left running') expect(isAlive(orphan.pid)).toBe(true)

    const { server, sql, entries, stop } = await start(path)
    expect(server.pid()).not.toBe(orphan.pid)
    expect(await postgresProcesses(join(path, 'postgres'))).not.toContain(orphan.pid)
    const rows = await sql`select what from kept`
    expect(rows.map(({ what }) => what as string)).toContain(kind)
    expect(rows).not.toContainEqual({ what: 'never committed' })
    if (kind === 'left running') expect(entries.some(({ msg }) => msg.includes('an earlier server left behind'))).toBe(true)
    // It was asked to stop, not shot: nothing had to be recovered.
    expect(entries.filter((entry) => entry.postgres?.includes('not properly shut down'))).toEqual([])
    await before.end({ timeout: 0 })
    await stop()
  },
)

test('a killed PostgreSQL is started again, also when one of its queries outlives it', async () => {
  const { server, sql, entries, stop, cluster } = await start(join(root, 'main'))
  await sql`insert into kept values ('before the kill')`
  const busy = connect(server)
  const outlived = busy`do $$ begin loop end loop; end $$`.then(
    () => 'finished',
    () => 'cut off',
  )
  await until(async () => (await sql`select 1 from pg_stat_activity where query like 'do %' and state = 'active'`).length === 1)
  const first = server.pid() as number
  process.kill(first, 'SIGKILL')
  await until(() => server.pid() !== first && server.pid() !== null)
  await until(() => answers(sql))
  expect(await outlived).toBe('cut off')
  expect(await sql`select what from kept where what = 'before the kill'`).toHaveLength(1)
  expect(entries.some(({ level, msg }) => level === 50 && msg.includes('ended unexpectedly'))).toBe(true)
  const [{ count } = { count: 0 }] = await sql<
    { count: number }[]
  >`select count(*)::int as count from pg_stat_activity where query like 'do %'`
  expect(count).toBe(0)
  await busy.end({ timeout: 0 })
  await stop()
  expect(await postgresProcesses(cluster)).toEqual([])
})

test('a killed connection leaves the server where it is', async () => {
  const { server, sql, stop } = await start(join(root, 'main'))
  const first = server.pid()
  const [backend] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`
  process.kill(backend?.pid as number, 'SIGKILL')
  await until(() => !isAlive(backend?.pid as number))
  await until(() => answers(sql))
  expect(server.pid()).toBe(first)
  await stop()
})

test('a database of another major version is refused by name and left untouched', async () => {
  const path = join(root, 'other-major')
  await mkdir(join(path, 'postgres', 'base'), { recursive: true })
  await writeFile(join(path, 'postgres', 'PG_VERSION'), '17\n')
  await writeFile(join(path, 'postgres', 'base', '1'), 'precious')
  const changed = async (): Promise<unknown> =>
    Promise.all(
      ['postgres', 'postgres/PG_VERSION', 'postgres/base', 'postgres/base/1'].map(async (name) => (await stat(join(path, name))).ctimeMs),
    )
  const before = await changed()
  const error = await refusal(path)
  expect(error.message).toContain('PostgreSQL 17')
  expect(error.message).toContain('PostgreSQL 18')
  expect(await changed()).toEqual(before)
  expect(await readFile(join(path, 'postgres', 'base', '1'), 'utf8')).toBe('precious')
})

test('a directory called postgres that holds something else is refused and left untouched', async () => {
  const path = join(root, 'something-else')
  await mkdir(join(path, 'postgres'), { recursive: true })
  await writeFile(join(path, 'postgres', 'notes.txt'), 'mine')
  expect((await refusal(path)).message).toContain('holds no PostgreSQL database')
  expect(await readdir(join(path, 'postgres'))).toEqual(['notes.txt'])
})

test('a server killed while it makes its database starts from the beginning the next time', async () => {
  const path = join(root, 'half-made')
  await mkdir(path)
  const watching = watch(path)
  const child = launch(path)
  for await (const { filename } of watching) if (filename?.startsWith('postgres.new-')) break
  const draft = (await readdir(path)).find((name) => name.startsWith('postgres.new-')) as string
  await until(async () => (await readdir(join(path, draft))).includes('PG_VERSION'))
  await child.kill()
  expect(await readdir(path)).not.toContain('postgres')

  const { sql, stop } = await start(path)
  expect(await answers(sql)).toBe(true)
  expect((await readdir(path)).filter((name) => name.startsWith('postgres'))).toEqual(['postgres'])
  await stop()
})

test('a data directory whose path does not fit a socket gets a private directory for it', async () => {
  const path = join(root, 'with, comma and späce', 'x'.repeat(90))
  await mkdir(path, { recursive: true })
  await rename(join(root, 'half-made', 'postgres'), join(path, 'postgres'))
  const { server, sql, stop } = await start(path)
  expect(server.host.startsWith(tmpdir())).toBe(true)
  expect((await stat(server.host)).mode & 0o777).toBe(0o700)
  expect(await answers(sql)).toBe(true)
  await stop()
  await expect(stat(server.host)).rejects.toThrow('ENOENT')
})

test('a lock file that names a stranger’s process does not block the start', async () => {
  const path = join(root, 'main')
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  children.push(stranger)
  await writeFile(join(path, 'postgres', 'postmaster.pid'), `${stranger.pid}\n${path}/postgres\n1\n5432\n${path}\n\n  1 1\nready   \n`, {
    mode: 0o600,
  })
  await writeFile(join(path, '.s.PGSQL.5432.lock'), `${stranger.pid}\n`, { mode: 0o600 })
  const { sql, stop } = await start(path)
  expect(await answers(sql)).toBe(true)
  expect(isAlive(stranger.pid as number)).toBe(true)
  await stop()
})

test('stopping twice, at once and afterwards, is one stop', async () => {
  const { server, sql, stop, cluster } = await start(join(root, 'main'))
  expect(await answers(sql)).toBe(true)
  await Promise.all([server.stop(), server.stop()])
  expect(await postgresProcesses(cluster)).toEqual([])
  await server.stop()
  await stop()
})

test('a start that is called off while it makes the database leaves nothing behind', async () => {
  const path = join(root, 'called-off')
  await mkdir(path)
  const controller = new AbortController()
  const watching = watch(path)
  const started = refusedWith(start(path, { signal: controller.signal }))
  for await (const { filename } of watching) if (filename?.startsWith('postgres.new-')) break
  controller.abort(new Error('changed my mind'))
  expect(await started).toBe(controller.signal.reason)
  expect((await readdir(path)).filter((name) => name.startsWith('postgres'))).toEqual([])
})

test('a start that is called off while PostgreSQL comes up leaves nothing running', async () => {
  const path = join(root, 'main')
  const controller = new AbortController()
  const abortAtFirstWord = {
    write: (line: string) => line.includes('starting PostgreSQL') && controller.abort(new Error('changed my mind')),
  }
  const started = refusedWith(start(path, { signal: controller.signal, log: pino({ level: 'debug' }, abortAtFirstWord) }))
  expect(await started).toBe(controller.signal.reason)
  expect(await postgresProcesses(join(path, 'postgres'))).toEqual([])
  const { sql, stop } = await start(path)
  expect(await answers(sql)).toBe(true)
  await stop()
})

test('an ordinary user starts it as it is', async () => {
  // Root shown as user 1000 has no more rights than that user.
  const prefix = process.getuid?.() === 0 ? ['unshare', '--user', '--map-user=1000', '--map-group=1000', '--'] : []
  const child = launch(join(root, 'main'), { prefix })
  const sql = connect(await child.ready)
  expect(await answers(sql)).toBe(true)
  await sql.end({ timeout: 0 })
  await child.kill()
  const next = await start(join(root, 'main'))
  expect(await answers(next.sql)).toBe(true)
  await next.stop()
})
