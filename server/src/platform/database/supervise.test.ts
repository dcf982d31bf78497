import { EventEmitter, once } from 'node:events'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { StartError } from '../start-error.ts'
import { locatePostgres, type PostgresBinaries } from './postgres-binaries.ts'
import { explainFailure, prepareCluster } from './postgres-cluster.ts'
import { postgresProcesses } from './postgres-processes.ts'
import { settingArguments } from './postgres-settings.ts'
import { backOff, supervise, type SuperviseOptions } from './supervise.ts'

let root: string
let cluster: string
let binaries: PostgresBinaries

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-supervise-'))
  binaries = await locatePostgres()
  cluster = await prepareCluster({ directory: root, binaries, fsync: false })
})

afterAll(() => rm(root, { recursive: true, force: true }))

const options = (onFatal: (error: StartError) => void, write: (line: string) => void = () => undefined): SuperviseOptions => ({
  command: [...binaries.prefix, binaries.postgres, '-D', cluster, '-k', root, ...settingArguments(false)],
  cluster,
  socketLock: join(root, '.s.PGSQL.5432.lock'),
  log: pino({ level: 'info' }, { write }),
  onFatal,
  giveUpAfter: 3,
})

test('a PostgreSQL that can no longer start is given up with its own reason, and stopping is still fine', async () => {
  const fatal = Promise.withResolvers<StartError>()
  const supervisor = await supervise(options(fatal.resolve))
  await rename(join(cluster, 'global', 'pg_control'), join(cluster, 'global', 'hidden'))
  process.kill(supervisor.pid() as number, 'SIGKILL')
  const error = await fatal.promise
  expect(error).toBeInstanceOf(StartError)
  expect(error.message).toContain('could not find the database system')
  expect(supervisor.pid()).toBeNull()
  await supervisor.stop()
  await rename(join(cluster, 'global', 'hidden'), join(cluster, 'global', 'pg_control'))
})

test('a PostgreSQL that was killed many times in a row is not given up while it comes back each time', async () => {
  const log = new EventEmitter()
  const fatal: StartError[] = []
  const supervisor = await supervise(
    options(
      (error) => fatal.push(error),
      (line) => line.includes('PostgreSQL runs again') && log.emit('again'),
    ),
  )
  for (let kill = 0; kill < 5; kill += 1) {
    const again = once(log, 'again')
    process.kill(supervisor.pid() as number, 'SIGKILL')
    await again
  }
  expect(fatal).toEqual([])
  await supervisor.stop()
  expect(await postgresProcesses(cluster)).toEqual([])
})

test('stopping while it is being started again leaves nothing running', async () => {
  const fatal: StartError[] = []
  const supervisor = await supervise(options((error) => fatal.push(error)))
  process.kill(supervisor.pid() as number, 'SIGKILL')
  await expect.poll(() => supervisor.pid(), { interval: 1 }).toBeNull()
  await supervisor.stop()
  expect(supervisor.pid()).toBeNull()
  expect(await postgresProcesses(cluster)).toEqual([])
  expect(fatal).toEqual([])
})

test('the first new start comes at once, later ones wait up to a second', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 50].map(backOff)).toEqual([0, 50, 100, 200, 400, 800, 1000, 1000])
})

test('a system without an embedded PostgreSQL is told to bring its own', async () => {
  const error = await locatePostgres('win32', 'x64').catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(StartError)
  expect(error).toMatchObject({ message: expect.stringContaining('win32-x64'), advice: expect.stringContaining('DATABASE_URL') })
})

test('PostgreSQL’s last words become a sentence and an advice', () => {
  const full = explainFailure('It did not start', 'FATAL:  could not write lock file "postmaster.pid": No space left on device', '/data')
  expect(full.message).toBe('The disk that holds /data is full.')
  const foreign = explainFailure(
    'It did not start',
    'FATAL:  data directory "/data/postgres" has wrong ownership\nHINT:  The server must be started by the user that owns it.',
    '/data',
  )
  expect(foreign.message).toContain('wrong ownership HINT:')
  expect(foreign.advice).toContain('must belong to it')
  expect(explainFailure('It did not start', '', '/data').message).toBe('It did not start: it ended without a word.')
})
