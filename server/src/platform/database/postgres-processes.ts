import { execFile } from 'node:child_process'
import { readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Logger } from '../log.ts'
import { StartError } from '../start-error.ts'
import { isAlive } from './data-directory.ts'

/**
 * Makes the cluster free for a new start: what a killed server or a killed postmaster left running on it is stopped, by a
 * fast shutdown where its postmaster lives, so that nothing has to be recovered. Resolves when no process of the cluster is
 * left, and with them their shared memory. The caller holds the data directory's lock: whatever runs here is a leftover.
 */
export const stopLeftovers = async (cluster: string, socketLock: string, log: Logger, patience = 10_000): Promise<void> => {
  const pidFile = join(cluster, 'postmaster.pid')
  const postmaster = await readPid(pidFile)
  const found = postmaster === null ? [] : await postgresProcesses(cluster)
  if (postmaster !== null && found.includes(postmaster)) {
    log.warn({ postgres_pid: postmaster }, 'a PostgreSQL that an earlier server left behind runs on the data directory; stopping it')
    await stopOrphan(cluster, postmaster, patience)
  } else if (found.length > 0) {
    // Without a postmaster they end by themselves as soon as they wait for something; one in a long query does not.
    await allGone(cluster, 300)
  }
  if (found.length > 0) await killRest(cluster, log, patience)
  await removeStale(pidFile, cluster)
  await removeStale(socketLock, cluster)
}

const stopOrphan = async (cluster: string, postmaster: number, patience: number): Promise<void> => {
  signal(postmaster, 'SIGINT')
  if (await allGone(cluster, patience)) return
  signal(postmaster, 'SIGQUIT')
  await allGone(cluster, patience / 2)
}

const killRest = async (cluster: string, log: Logger, patience: number): Promise<void> => {
  const rest = await postgresProcesses(cluster)
  if (rest.length === 0) return
  log.warn({ postgres_pids: rest }, 'killing what is left of the earlier PostgreSQL; the next one replays its log')
  for (const pid of rest) signal(pid, 'SIGKILL')
  if (await allGone(cluster, patience)) return
  throw new StartError(
    `An earlier PostgreSQL still works on ${cluster} and cannot be stopped (processes ${rest.join(', ')}).`,
    'It probably waits for a disk that does not answer. Look at that disk, or restart the machine.',
  )
}

/**
 * A killed PostgreSQL leaves its lock files, and the next one refuses to start when any process has the id in them: after a
 * reboot, or in a container, easily some other program. Such a file goes; all others are left to PostgreSQL's own check. A
 * postmaster is in the cluster's directory before it writes the file, so a living one is never mistaken for a stranger.
 */
const removeStale = async (file: string, cluster: string): Promise<void> => {
  const pid = await readPid(file)
  if (pid === null || !isAlive(pid) || (await postgresProcesses(cluster)).includes(pid)) return
  await rm(file, { force: true })
}

/** The first line of PostgreSQL's lock files (its `utils/pidfile.h`). */
const readPid = async (file: string): Promise<number | null> => {
  const text = await readFile(file, 'utf8').catch(absent)
  const pid = Number.parseInt(text ?? '', 10)
  return pid > 0 ? pid : null
}

/**
 * The ids of all PostgreSQL processes that work on the cluster. Each of them has the cluster as its working directory, so
 * neither an id that was given out again nor a copy of the directory can be mistaken for ours.
 */
export const postgresProcesses = async (cluster: string): Promise<readonly number[]> => {
  const status = await stat(cluster).catch(absent)
  if (status === null) return []
  const candidates = process.platform === 'linux' ? await listFromProc() : await listFromLsof()
  const found = await Promise.all(
    candidates.map(async ({ pid, directory }) => {
      const own = await stat(directory).catch(absent)
      return own?.ino === status.ino && own.dev === status.dev ? pid : null
    }),
  )
  return found.filter((pid) => pid !== null)
}

interface Candidate {
  readonly pid: number
  /** Leads to its working directory. */
  readonly directory: string
}

const listFromProc = async (): Promise<readonly Candidate[]> => {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const processes = await Promise.all(
    ids.map(async (id) => ({ pid: Number(id), name: await readFile(`/proc/${id}/comm`, 'utf8').catch(absent) })),
  )
  return processes.filter(({ name }) => name?.trim() === 'postgres').map(({ pid }) => ({ pid, directory: `/proc/${pid}/cwd` }))
}

/** Where there is no /proc (macOS). `lsof` answers with 1 when it finds none. */
const listFromLsof = async (): Promise<readonly Candidate[]> => {
  const { stdout } = await promisify(execFile)('lsof', ['-w', '-a', '-c', '/^postgres$/', '-d', 'cwd', '-F', 'pn']).catch(
    (error: { code?: unknown; stdout: string }) => {
      if (error.code === 1) return error
      throw error
    },
  )
  return [...stdout.matchAll(/^p(\d+)\n(?:f.*\n)?n(.*)$/gm)].map(([, pid, directory]) => ({
    pid: Number(pid),
    directory: directory as string,
  }))
}

const allGone = async (cluster: string, patience: number): Promise<boolean> => {
  const end = performance.now() + patience
  while ((await postgresProcesses(cluster)).length > 0) {
    if (performance.now() > end) return false
    await delay(10)
  }
  return true
}

/** Sends a signal; the process may have ended in the meantime. */
const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** A process can end, or belong to somebody else, while it is looked at: then it is not there for us. */
const absent = (error: unknown): null => {
  if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
  throw error
}
