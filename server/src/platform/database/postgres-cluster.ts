import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { diskFull, fileError, StartError } from '../start-error.ts'
import { syncDirectory } from './data-directory.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'

interface Options {
  /** The data directory; the cluster is `postgres` in it. */
  readonly directory: string
  readonly binaries: PostgresBinaries
  readonly fsync: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * Gives the path of the cluster, made where there is none yet: superuser and database `millrace`, UTF-8, sorted by code point
 * (the same order on every system and version, so that no index is ever out of order after an update).
 *
 * It is made beside its place and moved there when it is complete and on disk: a cluster that is there is a whole one.
 * A cluster of another major version, or a directory that is none, is left untouched: `StartError`.
 */
export const prepareCluster = async (options: Options): Promise<string> => {
  const cluster = join(options.directory, 'postgres')
  try {
    await removeHalfMade(options.directory)
    if (!(await isUsable(cluster, options.binaries))) await makeCluster(cluster, options)
    return cluster
  } catch (error) {
    throw fileError(error, options.directory)
  }
}

/** Words that the programs need from the environment; no `PG…` variable of the caller may change what they do. */
export const postgresEnvironment = (): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' })

const prefix = 'postgres.new-'

const removeHalfMade = async (directory: string): Promise<void> => {
  const names = (await readdir(directory)).filter((name) => name.startsWith(prefix))
  // Retried, because what made them may be writing its last files.
  await Promise.all(names.map((name) => rm(join(directory, name), { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })))
}

const isUsable = async (cluster: string, binaries: PostgresBinaries): Promise<boolean> => {
  const found = await readVersion(cluster)
  if (found === binaries.major) return true
  if (found !== null) {
    throw new StartError(
      `The database in ${cluster} is of PostgreSQL ${found}, and this server comes with PostgreSQL ${binaries.major}. Nothing was changed.`,
      `Start it with the version of the server that made it and move its data over, or set MILLRACE_DATA_DIR to another directory.`,
    )
  }
  return false
}

const readVersion = async (cluster: string): Promise<string | null> => {
  try {
    return (await readFile(join(cluster, 'PG_VERSION'), 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return null
  }
}

const makeCluster = async (cluster: string, { directory, binaries, fsync, signal }: Options): Promise<void> => {
  await clearPlace(cluster)
  const draft = await mkdtemp(join(directory, prefix))
  try {
    const step = async (program: string, args: readonly string[], input = ''): Promise<void> => {
      signal?.throwIfAborted()
      await runToEnd([...binaries.prefix, program, ...args], input, directory)
    }
    await step(binaries.initdb, [
      ...['-D', draft, '-U', 'millrace', '--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'],
      // Whoever reaches the socket is the owner of the directory: its mode (0700) is the key.
      ...['--auth-local=trust', '--auth-host=reject', '--no-instructions', '--no-sync'],
    ])
    await step(binaries.postgres, ['--single', '-c', 'fsync=off', '-D', draft, 'postgres'], 'create database millrace\n')
    if (fsync) await step(binaries.initdb, ['--sync-only', '-D', draft])
    signal?.throwIfAborted()
    await rename(draft, cluster)
    if (fsync) await syncDirectory(directory)
  } catch (error) {
    await rm(draft, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    throw error
  }
}

/** An empty directory (a fresh volume) may be there already; anything else is not ours to replace. */
const clearPlace = async (cluster: string): Promise<void> => {
  try {
    await rmdir(cluster)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error
    throw new StartError(
      `${cluster} is not empty and holds no PostgreSQL database. Nothing was changed.`,
      'Move it away, or set MILLRACE_DATA_DIR to another directory.',
    )
  }
}

const runToEnd = async (command: readonly string[], input: string, directory: string): Promise<void> => {
  const [file, ...args] = command as [string, ...string[]]
  const child = spawn(file, args, { stdio: 'pipe', env: postgresEnvironment(), cwd: directory, detached: true })
  const ended = exitOf(child)
  // A program that ended before it read says why through its exit and its output.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [code, output, errors] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  // Single-user mode answers with 0 also when its statement failed.
  if (code === 0 && !/^.*\b(ERROR|FATAL|PANIC): /m.test(errors)) return
  throw explainFailure(`The database could not be created in ${directory}`, `${output}\n${errors}`, directory)
}

const exitOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })

/** What PostgreSQL's own last words mean for the person who starts the server. */
export const explainFailure = (what: string, output: string, directory: string): StartError => {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (/No space left on device|Disk quota exceeded/.test(output)) return diskFull(directory)
  const told = lines.filter((line) => /\b(error|FATAL|PANIC|ERROR|HINT):/.test(line))
  const reason = (told.length > 0 ? told : lines).slice(-4).join(' ')
  if (/Permission denied|invalid permissions|wrong ownership/.test(output)) {
    return new StartError(
      `${what}: ${reason}`,
      'The data directory and all directories above it must be open to the user that runs the server, and the data must belong to it.',
    )
  }
  if (/shared memory|Cannot allocate memory|out of memory/.test(output)) {
    return new StartError(`${what}: ${reason}`, 'The machine or the container is short of memory: PostgreSQL needs about 200 MB free.')
  }
  return new StartError(
    `${what}: ${reason || 'it ended without a word.'}`,
    "Those are PostgreSQL's own words. Start with LOG_LEVEL=debug to see all of them.",
  )
}
