import { execFile } from 'node:child_process'
import { readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Logger } from '../log.ts'
import { StartError } from '../start-error.ts'

/** What `postmaster.pid` says: who runs the cluster and whether it takes connections (PostgreSQL, `utils/pidfile.h`). */
export const readPidFile = async (cluster: string): Promise<{ readonly pid: number; readonly ready: boolean } | null> => {
  try {
    const lines = (await readFile(join(cluster, 'postmaster.pid'), 'utf8')).split('\n')
    return { pid: Number(lines[0]), ready: lines[7]?.trim() === 'ready' }
  } catch (error) {
    return absent(error)
  }
}

/**
 * Makes the cluster free for a new start: what a killed server or a killed postmaster left running on it is stopped, by a
 * fast shutdown where its postmaster lives, so that nothing has to be recovered. Resolves when no process of the cluster is
 * left, and with them their shared memory. The caller holds the data directory's lock: whatever runs here is a leftover.
 */
export const stopLeftovers = async (cluster: string, log: Logger, patience = 10_000): Promise<void> => {
  const pidFile = await readPidFile(cluster)
  if (pidFile === null) return
  const found = await postgresProcesses(cluster)
  if (found.includes(pidFile.pid)) {
    log.warn({ pid: pidFile.pid }, 'a PostgreSQL left behind by an earlier server runs on the data directory; stopping it')
    signal(pidFile.pid, 'SIGINT')
    if (await allGone(cluster, patience)) return
    signal(pidFile.pid, 'SIGQUIT')
    if (await allGone(cluster, patience / 2)) return
  } else if (found.length > 0 && (await allGone(cluster, 300))) {
    // Without their postmaster they end by themselves at their next wait; one in the middle of a long query does not wait.
    return removeStale(cluster, pidFile.pid)
  }
  const rest = await postgresProcesses(cluster)
  if (rest.length > 0) {
    log.warn({ pids: rest }, 'killing what is left of the earlier PostgreSQL; its log will be replayed')
    for (const pid of rest) signal(pid, 'SIGKILL')
    if (!(await allGone(cluster, patience / 2))) {
      throw new StartError(
        `An earlier PostgreSQL still works on ${cluster} and cannot be stopped (processes ${rest.join(', ')}).`,
        'It probably waits for a disk that does not answer. Look at that disk, or restart the machine.',
      )
    }
  }
  await removeStale(cluster, pidFile.pid)
}

/**
 * PostgreSQL refuses to start when any process has the id in a left `postmaster.pid`, also one that got it later. The file
 * goes only while it names one that is not ours: a postmaster is in the cluster's directory before it writes the file.
 */
const removeStale = async (cluster: string, pid: number): Promise<void> => {
  const pidFile = await readPidFile(cluster)
  if (pidFile?.pid !== pid || (await postgresProcesses(cluster)).length > 0) return
  await rm(join(cluster, 'postmaster.pid'), { force: true })
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

/** Where there is no /proc (macOS); exported to be tested also where there is one. `lsof` answers with 1 when it finds none. */
export const listFromLsof = async (): Promise<readonly Candidate[]> => {
  const { stdout } = await promisify(execFile)('lsof', ['-w', '-a', '-c', '/^postgres$/', '-d', 'cwd', '-F', 'pn']).catch((error: { code?: unknown; stdout: string }) => {
    if (error.code === 1) return error
    throw error
  })
  return [...stdout.matchAll(/^p(\d+)\n(?:f.*\n)?n(.*)$/gm)].map(([, pid, directory]) => ({ pid: Number(pid), directory: directory as string }))
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
