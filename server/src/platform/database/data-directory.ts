import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { isUuid } from '../../lib/id.ts'
import { fileError, StartError } from '../start-error.ts'

/** The directory that one server owns while it runs. */
export interface DataDirectory {
  /** Absolute, without symbolic links. */
  readonly path: string
  /** A UUID made at the first start; it stays with the directory. */
  readonly instance_id: string
  /** Gives the directory free for the next server. May be called twice. */
  readonly close: () => Promise<void>
}

/**
 * Creates the data directory (0700) where it is missing and locks it for this process.
 *
 * The lock belongs to the operating system, so it cannot outlive its holder and a process id that was given out again
 * means nothing. Node offers no file locks of its own; SQLite, which Node brings, takes them the same way on every system
 * (`fcntl` or `LockFileEx`, also between containers that share a volume). `begin immediate` takes exactly one exclusive byte
 * range, so of two servers that start in the same instant one gets it. Nothing is ever written to the file. Nor may this
 * process open and close it in any other way: with POSIX locks, closing a file gives up all locks that the process has on it.
 *
 * Throws `StartError` when the directory is in use (naming the process), is a file, or cannot be written.
 */
export const openDataDirectory = async (path: string): Promise<DataDirectory> => {
  const directory = await createDirectory(resolve(path))
  const lock = await takeLock(directory)
  try {
    await writeWhole(join(directory, 'server.json'), `${JSON.stringify({ pid: process.pid, host: hostname() })}\n`)
    const instance_id = await readInstanceId(directory)
    // The listener also keeps the lock reachable: collected as garbage it would open silently.
    const release = (): void => {
      if (lock.isOpen) lock.close()
    }
    process.once('exit', release)
    return {
      path: directory,
      instance_id,
      close: async () => {
        process.off('exit', release)
        if (!lock.isOpen) return
        await rm(join(directory, 'server.json'), { force: true })
        release()
      },
    }
  } catch (error) {
    lock.close()
    throw fileError(error, directory)
  }
}

const createDirectory = async (path: string): Promise<string> => {
  if (/[\n\r]/.test(path)) {
    throw new StartError('The path of the data directory holds a line break.', 'Set MILLRACE_DATA_DIR to a path without one.')
  }
  try {
    await makeDirectories(path)
    return await realpath(path)
  } catch (error) {
    throw fileError(error, path)
  }
}

/** Not `recursive: true`: on a file system that takes no directories (/proc) Node then tries for ever. */
const makeDirectories = async (path: string): Promise<void> => {
  try {
    await makeDirectory(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await makeDirectories(dirname(path))
    await makeDirectory(path)
  }
}

const makeDirectory = async (path: string): Promise<void> => {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && (await stat(path)).isDirectory()) return
    throw error
  }
}

const takeLock = async (directory: string): Promise<DatabaseSync> => {
  const file = join(directory, 'server.lock')
  try {
    // 0600 from the start, and untouched where it exists.
    await (await open(file, 'wx', 0o600)).close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw fileError(error, directory)
  }
  const lock = openLockFile(file, directory)
  try {
    // No journal file: a leftover one would make the next opener recover it, and for that moment hold the lock itself.
    lock.exec('pragma journal_mode = memory')
    lock.exec('begin immediate')
    return lock
  } catch (error) {
    lock.close()
    if ((error as { errcode?: number }).errcode === sqliteBusy) throw await inUse(directory)
    throw cannotLock(directory, error)
  }
}

const openLockFile = (file: string, directory: string): DatabaseSync => {
  try {
    return new DatabaseSync(file, { timeout: 0 })
  } catch (error) {
    throw cannotLock(directory, error)
  }
}

const cannotLock = (directory: string, error: unknown): StartError =>
  new StartError(
    `The data directory ${directory} cannot be locked: ${(error as Error).message}.`,
    'It must be writable, and on a file system with file locks: a local disk, not a network share without them.',
    error,
  )

/** https://sqlite.org/rescode.html#busy */
const sqliteBusy = 5

const inUse = async (directory: string): Promise<StartError> => {
  const holder = await readHolder(directory)
  const who =
    holder === null ? 'Another server' : `Another server (process ${holder.pid}${holder.host === hostname() ? '' : ` on ${holder.host}`})`
  return new StartError(
    `${who} is running on the data directory ${directory}.`,
    'Stop that one first, or set MILLRACE_DATA_DIR to another directory for this one.',
  )
}

/** The holder writes its name a moment after it has the lock; who comes in between, or reads a dead one's name, looks again. */
const readHolder = async (directory: string): Promise<Holder | null> => {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    try {
      const holder = JSON.parse(await readFile(join(directory, 'server.json'), 'utf8')) as Holder
      if (holder.host !== hostname() || isAlive(holder.pid)) return holder
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fileError(error, directory)
    }
    await delay(25)
  }
  return null
}

interface Holder {
  readonly pid: number
  readonly host: string
}

/** Whether any process has the id now. */
export const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const readInstanceId = async (directory: string): Promise<string> => {
  const file = join(directory, 'instance-id')
  try {
    const id = (await readFile(file, 'utf8')).trim()
    if (isUuid(id)) return id
    throw new StartError(`${file} holds no UUID.`, 'Restore it from a backup, or delete it to get a new one.')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const id = randomUUID()
  await writeWhole(file, `${id}\n`)
  return id
}

/** Writes a file (0600) so that it is there completely or not at all, also after a power cut. */
export const writeWhole = async (file: string, text: string): Promise<void> => {
  const handle = await open(`${file}.new`, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${file}.new`, file)
  await syncDirectory(join(file, '..'))
}

/** Makes the names in a directory durable. Windows cannot open a directory for that, and needs no such call. */
export const syncDirectory = async (path: string): Promise<void> => {
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
