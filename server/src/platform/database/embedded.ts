import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, realpath, rmdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '../log.ts'
import { fileError, StartError } from '../start-error.ts'
import type { DataDirectory } from './data-directory.ts'
import { locatePostgres } from './postgres-binaries.ts'
import { prepareCluster } from './postgres-cluster.ts'
import { settingArguments } from './postgres-settings.ts'
import { supervise } from './supervise.ts'

export interface EmbeddedOptions {
  /** Open, so that no other server works on it. */
  readonly directory: DataDirectory
  readonly log: Logger
  /** PostgreSQL settings that override ours, by name. */
  readonly settings?: { readonly [name: string]: string }
  /** Off only where losing the data in a power cut does not matter: in tests. */
  readonly fsync?: boolean
  /** PostgreSQL ended and cannot be started again: the server has to end too. Without it the error is only logged. */
  readonly onFatal?: (error: StartError) => void
  /** Ends a start that is under way; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** A PostgreSQL that this process runs: `postgres({ host, port, user, database })` connects to it. */
export interface EmbeddedPostgres {
  /** The absolute path of the directory that holds the socket. There is no TCP port. */
  readonly host: string
  /** Part of the socket's name only. */
  readonly port: number
  /** A superuser, and the owner of the database. Needs no password: who reaches the socket is the owner of its directory. */
  readonly user: 'millrace'
  readonly database: 'millrace'
  /** The postmaster's process id; null while there is none (between its end and its next start). */
  readonly pid: () => number | null
  /** Fast shutdown: open transactions are rolled back. Resolves when the process is gone. May be called twice. */
  readonly stop: () => Promise<void>
}

/**
 * Starts the PostgreSQL that belongs to a data directory, made at the first start, and keeps it running. Resolves when it takes
 * connections. A PostgreSQL that a killed server left behind is stopped first.
 *
 * Throws `StartError` for whatever a person has to put right.
 */
export const startEmbeddedPostgres = async (options: EmbeddedOptions): Promise<EmbeddedPostgres> => {
  const { directory, log, settings, fsync = true, signal, onFatal } = options
  const binaries = await locatePostgres()
  const cluster = await prepareCluster({ directory: directory.path, binaries, fsync, signal })
  const host = await socketDirectory(directory.path)
  const supervisor = await supervise({
    command: [
      ...binaries.prefix,
      binaries.postgres,
      ...['-D', cluster, '-p', String(port), '-k', host],
      ...settingArguments(fsync, settings),
    ],
    cluster,
    socketLock: join(host, `.s.PGSQL.${port}.lock`),
    log,
    signal,
    onFatal: (error) => {
      log.fatal({ err: error }, error.message)
      onFatal?.(error)
    },
  })
  const stop = async (): Promise<void> => {
    await supervisor.stop()
    if (host !== directory.path) await removeIfEmpty(host)
  }
  return { host, port, user: 'millrace', database: 'millrace', pid: supervisor.pid, stop }
}

/**
 * Where the PostgreSQL of a data directory answers that another process runs; null when none does. Whoever may reach its socket is the
 * owner of the directory, so a command can look into the database of a running server.
 */
export const findEmbeddedPostgres = async (
  data_dir: string,
): Promise<Pick<EmbeddedPostgres, 'host' | 'port' | 'user' | 'database'> | null> => {
  const directory = await realpath(data_dir).catch(() => null)
  if (directory === null) return null
  const host = await socketDirectory(directory)
  return (await answers(join(host, `.s.PGSQL.${port}`))) ? { host, port, user: 'millrace', database: 'millrace' } : null
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    const end = (does: boolean) => (): void => {
      socket.destroy()
      resolve(does)
    }
    socket.once('connect', end(true))
    socket.once('error', end(false))
  })

const port = 5432

/** What `sun_path` of `sockaddr_un` holds, without the NUL at its end. */
const longestSocketPath = process.platform === 'linux' ? 107 : 103

/** A path that the system takes for a socket, and that neither PostgreSQL nor a driver takes for a list or a port. */
const fits = (directory: string): boolean =>
  Buffer.byteLength(join(directory, `.s.PGSQL.${port}`)) <= longestSocketPath && !/[,:"\s]/.test(directory)

/** The data directory, or, where its path does not fit, a private directory named after it. */
const socketDirectory = async (dataDirectory: string): Promise<string> => {
  if (fits(dataDirectory)) return dataDirectory
  const name = `millrace-${createHash('sha256').update(dataDirectory).digest('hex').slice(0, 16)}`
  const path = [tmpdir(), '/tmp'].map((parent) => join(parent, name)).find(fits) as string
  try {
    await mkdir(path, { mode: 0o700, recursive: true })
    // Everybody may write to the parent: the directory could be somebody else's, or a link to one.
    const status = await lstat(path)
    if (!status.isDirectory() || status.uid !== process.getuid?.()) {
      throw new StartError(
        `${path}, where the database's socket belongs because the data directory's path is too long for one, is not ours.`,
        'Set MILLRACE_DATA_DIR to a shorter path, or TMPDIR to a directory of your own.',
      )
    }
    await chmod(path, 0o700)
    return path
  } catch (error) {
    throw fileError(error, path)
  }
}

const removeIfEmpty = async (path: string): Promise<void> => {
  try {
    await rmdir(path)
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
