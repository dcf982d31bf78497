import type { Answer, Outcome, Program, SourceFault, Task } from './program.ts'
import { loadWasm, startThread, type Thread, type Told } from './thread.ts'
import type { Wasm } from './wasm.ts'

/** Programs of one workspace that wait in this process, and characters of what they are given; whoever comes after them is to come again. */
const most_waiting = { programs: 1_000, chars: 16 * 1024 * 1024 }
/** Beyond what it may take, before a thread that does not end by itself is ended. */
const grace_ms = 1_000
const parse_timeout_ms = 3_000
/** Whoever has waited so long while others run gets a thread beyond the usual number: they are no short programs. */
const patience_ms = 100

/** Whose work it is, and what calls it off. */
export interface Caller {
  readonly workspace_id: string
  readonly signal: AbortSignal | null
}

export interface Pool {
  /** Runs a program. `busy`: too many of the workspace wait already. `ended`: its thread broke down, or the pool was closed. */
  readonly run: (program: Program, caller: Caller) => Promise<Outcome | { readonly kind: 'busy' } | { readonly kind: 'ended' }>
  /** The mistake of each source, null for none; undefined where there was no time to look. */
  readonly parse: (sources: readonly string[], caller: Caller) => Promise<readonly (SourceFault | null | undefined)[]>
  /** Threads that are alive, programs that run and programs that wait. */
  readonly state: () => { readonly threads: number; readonly running: number; readonly waiting: number }
  /** Ends all of it. */
  readonly close: () => Promise<void>
}

export interface PoolOptions {
  /** Threads that work at a time. A workspace that has nothing running and waits gets another one, up to twice as many. */
  readonly threads: number
  /** A thread that has had nothing to do for so long ends. */
  readonly idle_ms: number
  /** A thread broke down by itself. */
  readonly onBreakdown: (error: unknown) => void
}

type Ended = Answer | { readonly kind: 'busy' | 'ended' | 'killed' | 'overfull' }

interface Job {
  readonly task: Task
  readonly chars: number
  readonly workspace_id: string
  /** `performance.now()`. */
  readonly since: number
  readonly settle: (ended: Ended) => void
}

interface Slot {
  readonly thread: Thread
  job: Job | null
  timer: NodeJS.Timeout | null
}

/**
 * A few threads and those who wait for one, by workspace. The workspaces take turns. As long as others wait, none takes more than its turn; and
 * long programs of one cannot keep the others out, because who has nothing running may have a thread beyond the usual number.
 */
export const openPool = (options: PoolOptions): Pool => {
  const pool: Open = { options, slots: new Set(), waiting: new Map(), count: 0, closed: false, wasm: null, impatience: null }
  const enqueue = (task: Task, caller: Caller): Promise<Ended> => wait(pool, task, caller)
  return {
    run: async (program, caller) => {
      const ended = await enqueue({ kind: 'run', program }, caller)
      if (ended.kind === 'ran') return ended.outcome
      if (ended.kind === 'killed') return broken('code.timeout', `The program ran longer than ${program.timeout_ms} ms`)
      if (ended.kind === 'overfull') return broken('code.memory', `The program needs more than ${program.memory_mb} MB of memory`)
      return ended.kind === 'busy' ? { kind: 'busy' } : { kind: 'ended' }
    },
    parse: async (sources, caller) => {
      const ended = await enqueue({ kind: 'parse', sources, timeout_ms: parse_timeout_ms }, caller)
      return ended.kind === 'parsed' ? ended.faults : sources.map(() => undefined)
    },
    state: () => ({ threads: pool.slots.size, running: runningOf(pool, null), waiting: pool.count }),
    close: async () => {
      pool.closed = true
      if (pool.impatience !== null) clearTimeout(pool.impatience)
      for (const queue of pool.waiting.values()) for (const job of queue) job.settle({ kind: 'ended' })
      pool.waiting.clear()
      pool.count = 0
      await Promise.all([...pool.slots].map((slot) => end(pool, slot, { kind: 'ended' })))
    },
  }
}

interface Open {
  readonly options: PoolOptions
  readonly slots: Set<Slot>
  /** In the order of whose turn it is. */
  readonly waiting: Map<string, Job[]>
  count: number
  closed: boolean
  /** Loaded with the first thread, let go with the last. */
  wasm: Promise<Wasm> | null
  /** Looks again after those who wait. */
  impatience: NodeJS.Timeout | null
}

const broken = (code: 'code.timeout' | 'code.memory', message: string): Outcome => ({
  kind: 'failed',
  failure: { code, message, name: null, place: null, logs: [] },
})

const charsOf = (task: Task): number =>
  task.kind === 'run'
    ? task.program.input.length + (task.program.context?.length ?? 0)
    : task.sources.reduce((sum, { length }) => sum + length, 0)

const isFull = (before: readonly Job[], chars: number): boolean =>
  before.length >= most_waiting.programs || before.reduce((sum, job) => sum + job.chars, chars) > most_waiting.chars

const wait = (pool: Open, task: Task, { workspace_id, signal }: Caller): Promise<Ended> => {
  if (pool.closed || signal?.aborted === true) return Promise.resolve({ kind: 'ended' })
  const chars = charsOf(task)
  const before = pool.waiting.get(workspace_id) ?? []
  if (before.length > 0 && isFull(before, chars)) return Promise.resolve({ kind: 'busy' })
  return new Promise((resolve) => {
    const called = (): void => callOff(pool, job)
    const job: Job = {
      task,
      chars,
      workspace_id,
      since: performance.now(),
      settle: (ended) => {
        signal?.removeEventListener('abort', called)
        resolve(ended)
      },
    }
    signal?.addEventListener('abort', called, { once: true })
    const queue = pool.waiting.get(workspace_id)
    if (queue) queue.push(job)
    else pool.waiting.set(workspace_id, [job])
    pool.count += 1
    dispatch(pool)
  })
}

/** Nobody wants the answer any more. */
const callOff = (pool: Open, job: Job): void => {
  const queue = pool.waiting.get(job.workspace_id)
  const at = queue?.indexOf(job) ?? -1
  if (queue && at >= 0) {
    queue.splice(at, 1)
    if (queue.length === 0) pool.waiting.delete(job.workspace_id)
    pool.count -= 1
    return job.settle({ kind: 'ended' })
  }
  for (const slot of pool.slots) if (slot.job === job) void end(pool, slot, { kind: 'ended' })
}

/** Programs of a workspace, or of all, that have a thread. */
const runningOf = (pool: Open, workspace_id: string | null): number => {
  let running = 0
  for (const { job } of pool.slots) if (job !== null && (workspace_id === null || job.workspace_id === workspace_id)) running += 1
  return running
}

/** The workspace whose turn it is and that may have a thread now. */
const nextWorkspace = (pool: Open): string | undefined => {
  const { threads } = pool.options
  const busy = runningOf(pool, null)
  if (busy >= 2 * threads) return undefined
  const since = performance.now() - patience_ms
  for (const [workspace_id, [first]] of pool.waiting) {
    if (busy < threads || (first !== undefined && first.since <= since && runningOf(pool, workspace_id) === 0)) return workspace_id
  }
  return undefined
}

const dispatch = (pool: Open): void => {
  for (;;) {
    const workspace_id = nextWorkspace(pool)
    if (workspace_id === undefined) break
    const queue = pool.waiting.get(workspace_id) as Job[]
    const job = queue.shift() as Job
    pool.count -= 1
    // Behind the others.
    pool.waiting.delete(workspace_id)
    if (queue.length > 0) pool.waiting.set(workspace_id, queue)
    begin(pool, job)
  }
  if (pool.count === 0 || pool.impatience !== null) return
  pool.impatience = setTimeout(() => {
    pool.impatience = null
    dispatch(pool)
  }, patience_ms)
}

const begin = (pool: Open, job: Job): void => {
  let slot = [...pool.slots].find((each) => each.job === null)
  if (slot === undefined) {
    const thread = startThread((pool.wasm ??= loadWasm()), (told) => heard(pool, made, told))
    const made: Slot = { thread, job: null, timer: null }
    slot = made
    pool.slots.add(slot)
  }
  if (slot.timer !== null) clearTimeout(slot.timer)
  slot.timer = null
  slot.job = job
  if (slot.thread.ready()) send(pool, slot, job)
}

const send = (pool: Open, slot: Slot, job: Job): void => {
  const { task } = job
  const limit = task.kind === 'run' ? task.program.timeout_ms : task.timeout_ms
  slot.timer = setTimeout(() => void end(pool, slot, { kind: 'killed' }), limit + grace_ms)
  slot.thread.post(task)
}

const heard = (pool: Open, slot: Slot, told: Told): void => {
  const { job } = slot
  if (told.kind === 'ready') return job === null ? rest(pool, slot) : send(pool, slot, job)
  if (told.kind === 'ended') pool.options.onBreakdown(told.error)
  if (told.kind === 'ended' || told.kind === 'overfull') return void end(pool, slot, { kind: told.kind })
  rest(pool, slot)
  job?.settle(told)
  dispatch(pool)
}

const rest = (pool: Open, slot: Slot): void => {
  if (slot.timer !== null) clearTimeout(slot.timer)
  slot.job = null
  slot.timer = setTimeout(() => void end(pool, slot, { kind: 'ended' }), pool.options.idle_ms)
  slot.timer.unref()
}

/** Ends a thread, whatever it does, and tells whoever waits for it why. */
const end = async (pool: Open, slot: Slot, why: Ended): Promise<void> => {
  if (!pool.slots.delete(slot)) return
  if (pool.slots.size === 0) pool.wasm = null
  if (slot.timer !== null) clearTimeout(slot.timer)
  slot.job?.settle(why)
  if (!pool.closed) dispatch(pool)
  await slot.thread.end()
}
