import type { Sql } from 'postgres'
import { isTransient } from '../../platform/database/errors.ts'
import type { Logger } from '../../platform/log.ts'
import { admit, type LineName, linesAfter } from './admit.ts'
import { nameOf } from './decide.ts'

/**
 * Sees to it that the next in line is admitted as soon as there is a slot: whoever has made one free, or has come to stand in line, asks. What
 * comes while an answer is under way goes with the next one. A line that a rate holds up is asked for again when its time has come. If this process dies
 * in between, another one asks (`sweep`).
 */
export interface Doorkeeper {
  readonly ask: (line: LineName) => void
  /** The limits of a workflow have changed: all its lines are asked for. */
  readonly askAll: (workflow_id: string) => void
  /** Asks for the lines in which somebody stands, some at a time. */
  readonly sweep: () => void
  readonly stop: () => Promise<void>
}

export interface DoorkeeperOptions {
  readonly sql: Sql
  readonly log: Logger
  /** Unix milliseconds. */
  readonly now: () => number
  /** Somebody was admitted, and is queued for whoever has room. */
  readonly onAdmitted: () => void
}

/** Lines asked for in one transaction. */
const batch = 200
/** Lines of one sweep, and the time between two. */
const swept = { lines: 500, every_ms: 2_000 }
/** Between two tries while the database is away. */
const again_ms = 200
/** Rates that are waited for in memory; more are found by sweeping. */
const most_timers = 10_000
/** The longest time that is waited for in memory. */
const longest_ms = 3_600_000

const before_all: LineName = { workflow_id: '00000000-0000-0000-0000-000000000000', line: '' }

/** Everything of one doorkeeper that changes. */
interface Desk {
  readonly options: DoorkeeperOptions
  readonly asked: Map<string, LineName>
  readonly timers: Map<string, NodeJS.Timeout>
  working: Promise<void> | null
  sweeping: Promise<void> | null
  swept_at: number
  after: LineName
  stopped: boolean
}

export const openDoorkeeper = (options: DoorkeeperOptions): Doorkeeper => {
  const desk: Desk = {
    ...{ options, asked: new Map(), timers: new Map(), working: null, sweeping: null, swept_at: 0 },
    ...{ after: before_all, stopped: false },
  }
  return {
    ask: (line) => ask(desk, [line]),
    askAll: (workflow_id) => void look(desk, () => askAll(desk, workflow_id)),
    sweep: () => {
      const now = options.now()
      if (desk.stopped || desk.sweeping !== null || Math.abs(now - desk.swept_at) < swept.every_ms) return
      desk.swept_at = now
      desk.sweeping = look(desk, () => sweep(desk)).finally(() => void (desk.sweeping = null))
    },
    stop: async () => {
      desk.stopped = true
      desk.asked.clear()
      for (const timer of desk.timers.values()) clearTimeout(timer)
      desk.timers.clear()
      await desk.working
      await desk.sweeping
    },
  }
}

const ask = (desk: Desk, lines: readonly LineName[]): void => {
  if (desk.stopped) return
  for (const line of lines) desk.asked.set(nameOf(line.workflow_id, line.line), line)
  desk.working ??= work(desk).finally(() => {
    desk.working = null
    if (desk.asked.size > 0) ask(desk, [])
  })
}

const work = async (desk: Desk): Promise<void> => {
  const { sql, log, onAdmitted } = desk.options
  // What is asked for in the same turn of the event loop goes together.
  await Promise.resolve()
  while (desk.asked.size > 0 && !desk.stopped) {
    const lines = [...desk.asked.values()].slice(0, batch)
    for (const line of lines) desk.asked.delete(nameOf(line.workflow_id, line.line))
    try {
      const { count, again, later } = await admit(sql, lines)
      if (count > 0) onAdmitted()
      for (const line of again) desk.asked.set(nameOf(line.workflow_id, line.line), line)
      for (const { ms, ...line } of later) askLater(desk, line, ms)
    } catch (error) {
      log.warn({ err: error }, 'executions that stand in line could not be admitted; it will be tried again')
      for (const line of lines) askLater(desk, line, again_ms)
      if (!isTransient(error)) return
    }
  }
}

const askLater = (desk: Desk, line: LineName, ms: number): void => {
  const name = nameOf(line.workflow_id, line.line)
  const { timers } = desk
  clearTimeout(timers.get(name))
  timers.delete(name)
  if (desk.stopped || timers.size >= most_timers) return
  const timer = setTimeout(
    () => {
      timers.delete(name)
      ask(desk, [line])
    },
    Math.min(Math.max(ms, 1), longest_ms),
  )
  timers.set(name, timer.unref())
}

const look = async (desk: Desk, at: () => Promise<void>): Promise<void> => {
  try {
    await at()
  } catch (error) {
    desk.options.log.warn({ err: error }, 'the lines of limited workflows could not be looked at; it will be tried again')
  }
}

const sweep = async (desk: Desk): Promise<void> => {
  const lines = await linesAfter(desk.options.sql, desk.after, swept.lines)
  desk.after = lines.length < swept.lines ? before_all : (lines.at(-1) as LineName)
  ask(desk, lines)
}

const askAll = async (desk: Desk, workflow_id: string): Promise<void> => {
  for (let after: LineName = { workflow_id, line: '' }; ;) {
    const lines = (await linesAfter(desk.options.sql, after, swept.lines)).filter((line) => line.workflow_id === workflow_id)
    ask(desk, lines)
    if (lines.length < swept.lines) break
    after = lines.at(-1) as LineName
  }
  ask(desk, [{ workflow_id, line: '' }])
}
