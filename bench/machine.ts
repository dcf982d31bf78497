import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { locatePostgres } from '../server/src/platform/database/postgres-binaries.ts'
import type { Facts } from './bench.ts'
import { fsyncMs } from './place.ts'

export const machineFacts = async (): Promise<Facts> => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  memory_mib: Math.round(totalmem() / 2 ** 20),
  kernel: `${type()} ${release()}`,
  node: process.versions.node,
  postgres: (await locatePostgres()).version,
  fsync_ms: await fsyncMs(),
})

/** CPU seconds that all programs on the machine have spent since it started. */
const machineCpuS = (): number => cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000

export interface ProcessUse {
  /** Resident, MiB. */
  readonly memory_mib: number
  /** User and system time since the process began, seconds. */
  readonly cpu_s: number
  /** Of all processes below it. */
  readonly children: number
  readonly children_cpu_s: number
}

interface Running {
  readonly pid: number
  readonly parent: number
  readonly memory_mib: number
  readonly cpu_s: number
}

/** What a process and those below it use, as `/proc` or `ps` says. */
export const processUse = (pid: number): ProcessUse => {
  const all = process.platform === 'linux' ? fromProc() : fromPs()
  const own = all.find((one) => one.pid === pid)
  if (own === undefined) throw new Error(`process ${pid} does not run`)
  const below = (parent: number): readonly Running[] => all.flatMap((one) => (one.parent === parent ? [one, ...below(one.pid)] : []))
  const children = below(pid)
  return {
    memory_mib: own.memory_mib,
    cpu_s: own.cpu_s,
    children: children.length,
    children_cpu_s: children.reduce((sum, one) => sum + one.cpu_s, 0),
  }
}

/** proc(5): fields 4 (parent), 14 and 15 (ticks of 10 ms), 24 (resident pages); counted after the name, which may hold anything. */
const fromProc = (): readonly Running[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        const field = (number: number): number => Number(fields[number - 3])
        return [{ pid: Number(name), parent: field(4), memory_mib: (field(24) * 4096) / 2 ** 20, cpu_s: (field(14) + field(15)) / 100 }]
      } catch {
        // It ended between the two looks.
        return []
      }
    })

const fromPs = (): readonly Running[] =>
  execFileSync('ps', ['-axo', 'pid=,ppid=,rss=,time='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => {
      const [pid, parent, memory, time = ''] = line.trim().split(/\s+/)
      const cpu_s = time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
      return { pid: Number(pid), parent: Number(parent), memory_mib: Number(memory) / 1024, cpu_s }
    })

/** The processes that share a piece of work. */
export interface Workers {
  readonly pid: number
  /** The process that has started PostgreSQL. */
  readonly database_below: number
}

/** What a piece of work cost. */
export interface Spent {
  /** CPU seconds. Other programs on the machine change these much less than they change the speed. */
  readonly own_s: number
  readonly database_s: number
  /** Cores that were busy, on average, with what is not the bench's. */
  readonly foreign_cpu: number
}

/** `elsewhere_s` of the work's result: CPU of processes that it has started and that are gone. */
export const spending = async <T extends { readonly elsewhere_s: number }>(
  { pid, database_below }: Workers,
  work: () => Promise<T>,
): Promise<Spent & { readonly result: T }> => {
  const look = () => {
    const bench = processUse(process.pid)
    return {
      own_s: processUse(pid).cpu_s,
      database_s: processUse(database_below).children_cpu_s,
      ours_s: bench.cpu_s + bench.children_cpu_s,
      machine_s: machineCpuS(),
      at: performance.now(),
    }
  }
  const before = look()
  const result = await work()
  const after = look()
  const foreign_s = after.machine_s - before.machine_s - (after.ours_s - before.ours_s) - result.elsewhere_s
  const foreign_cpu = Math.max(0, Math.round((foreign_s / (after.at - before.at)) * 1e5) / 100)
  return { result, own_s: after.own_s - before.own_s, database_s: after.database_s - before.database_s, foreign_cpu }
}

/** Microseconds of CPU for each of `count`. */
export const eachUs = (seconds: number, count: number): number => Math.round((seconds * 1e6) / Math.max(1, count))
