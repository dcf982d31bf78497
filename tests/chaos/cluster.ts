import { randomBytes, randomInt } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pino from 'pino'
import postgres from 'postgres'
import { openDataDirectory } from '../../server/src/platform/database/data-directory.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../server/src/platform/database/embedded.ts'
import { type Load, startDrafts, startLoad } from './load.ts'
import { type Kill, reconcile, type Report } from './reconcile.ts'
import { startReceiver } from './receiver.ts'
import { serverProcess, type ServerProcess } from './server-process.ts'
import { type Takeovers, watchTakeovers } from './takeover.ts'
import { pauseTriggers, publishAll, signUp } from './workflows.ts'

export interface ClusterOptions {
  readonly seconds: number
  readonly clients: number
  /** Of each client between two calls, milliseconds. */
  readonly pause_ms: number
  /** Between two kills, milliseconds. */
  readonly every_ms: number
  /** Also kills PostgreSQL, with every fourth kill. */
  readonly database: boolean
  /** Longer than promised only where the machine has other things to do: 10 s when not given. */
  readonly longest_takeover_ms?: number
  readonly log: (line: string) => void
}

export interface ClusterReport extends Report {
  readonly processes: number
  readonly seconds: number
  /** Of the kills: servers that were frozen for longer than their lease, and then went on. */
  readonly frozen: number
  /** Frozen servers that said, once they went on, that they had lost their lease. */
  readonly fenced: number
  readonly kills_of_the_database: number
  /** Executions that were a dead server's. */
  readonly taken_over: number
  /** From the kill to the first progress of each of them. */
  readonly takeover_ms: { readonly p50: number; readonly p99: number; readonly max: number }
}

const processes = 3
const promised_takeover_ms = 10_000
/** So long a server stays away where others are to take over: longer than it takes them to notice. */
const away_ms = 9_000

interface Member {
  readonly server: ServerProcess
  readonly worker_id: string
  /** It serves. */
  up: boolean
  /** How often it said that it had lost its lease. */
  losses: number
}

/**
 * Three servers on one PostgreSQL, under load on all of them. Every few seconds one of them is killed and started again at once, or killed and left
 * dead until the others have taken over, or frozen for as long and let go on, not knowing that it was taken for dead.
 */
export const runCluster = async (options: ClusterOptions): Promise<ClusterReport> => {
  const { longest_takeover_ms = promised_takeover_ms } = options
  const directory = await mkdtemp(join(tmpdir(), 'millrace-cluster-'))
  const data = await openDataDirectory(join(directory, 'database'))
  const embedded = await startEmbeddedPostgres({ directory: data, log: pino({ level: 'silent' }) })
  const { host, port, user, database } = embedded
  const sql = postgres({ host, port, user, database, max: 1, onnotice: () => undefined })
  let load: Load | null = null
  const receiver = await startReceiver((body, key) => load?.heard(body, key))
  const members: Member[] = []
  const takeovers = watchTakeovers(sql)
  try {
    const env = {
      DATABASE_URL: `postgres:///${database}?host=${host}&port=${port}&user=${user}`,
      MILLRACE_SECRET_KEY: randomBytes(32).toString('base64'),
      MILLRACE_OUTBOUND_ALLOW: `127.0.0.1:${receiver.port}`,
      // As behind a balancer: whichever server runs an effect, it says the same.
      PUBLIC_URL: 'http://127.0.0.1:9',
    }
    for (let number = 0; number < processes; number += 1) {
      // The last one is soon full: what it accepts is queued for whoever has room.
      const capacity = number === processes - 1 ? { MILLRACE_ENGINE_CAPACITY: '4' } : {}
      members.push(await enrol(join(directory, `server-${number}`), { ...env, ...capacity }))
    }
    const urls = members.map(({ server }) => server.url)
    const account = await signUp(urls[0] as string)
    const workflows = await publishAll(account, receiver.port)
    const drafts = startDrafts(
      urls.map((url) => account.at(url)),
      500,
    )
    load = startLoad({ urls, workflows, clients: options.clients, pause_ms: options.pause_ms })
    const done = await killForAWhile({ options, members, takeovers, embedded })
    const stranded = await takeovers.settled(longest_takeover_ms)
    await load.stop()
    const told = await drafts.stop()
    await pauseTriggers(account, workflows)
    const { acknowledged } = load
    options.log(`${acknowledged.length} starts acknowledged, ${load.unanswered()} without an answer; waiting for the last execution to end`)
    const outside = { acknowledged, workflows, calls: receiver.calls, kills: done.kills, drafts: told, log: options.log }
    const report = await reconcile({ host, port, user, database }, outside)
    const fenced = members.reduce((sum, { losses }) => sum + losses, 0)
    const times = takeovers.times_ms().toSorted((a, b) => a - b)
    const max = times.at(-1) ?? 0
    return {
      ...report,
      processes,
      seconds: options.seconds,
      frozen: done.frozen,
      fenced,
      kills_of_the_database: done.database,
      taken_over: times.length,
      takeover_ms: { p50: at(times, 0.5), p99: at(times, 0.99), max },
      faults: [
        ...report.faults,
        ...stranded.map((id) => `nobody has gone on with ${id}, whose server had died`),
        ...(max > longest_takeover_ms ? [`an execution went on only ${max} ms after its server had died`] : []),
        ...(fenced < done.frozen ? [`${done.frozen} servers were frozen and ${fenced} noticed that they had lost their lease`] : []),
      ],
    }
  } finally {
    await takeovers.stop()
    await Promise.all(members.map(({ server }) => server.stop()))
    await sql.end()
    await receiver.close()
    await embedded.stop()
    await data.close()
    await rm(directory, { recursive: true, force: true })
  }
}

const at = (sorted: readonly number[], part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0

const enrol = async (data_dir: string, env: { readonly [name: string]: string }): Promise<Member> => {
  await mkdir(data_dir)
  const member = { up: true, losses: 0 }
  const server = await serverProcess({
    data_dir,
    env,
    onOutput: (text) => void (member.losses += text.split('the lease was lost').length - 1),
  })
  await server.start()
  const worker_id = (await readFile(join(data_dir, 'instance-id'), 'utf8')).trim()
  return Object.assign(member, { server, worker_id })
}

interface Scene {
  readonly options: ClusterOptions
  readonly members: readonly Member[]
  readonly takeovers: Takeovers
  readonly embedded: EmbeddedPostgres
}

interface Done {
  readonly kills: readonly Kill[]
  readonly frozen: number
  readonly database: number
}

const ways = ['and started again', 'and left dead for a while', 'by freezing it for a while'] as const

const killForAWhile = async ({ options, members, takeovers, embedded }: Scene): Promise<Done> => {
  const kills: Kill[] = []
  const returning: Promise<void>[] = []
  const until = Date.now() + options.seconds * 1_000
  let frozen = 0
  let database = 0
  for (let turn = 0; Date.now() < until; turn += 1) {
    await pause(options.every_ms)
    const alive = members.filter(({ up }) => up)
    const victim = alive[randomInt(alive.length)] as Member
    // One at least goes on.
    if (alive.length < 2) continue
    const way = turn % ways.length
    options.log(`kill ${kills.length + 1}: server ${members.indexOf(victim) + 1}, ${ways[way]}`)
    if (way === 2) frozen += 1
    const { kill, back } = way === 2 ? await freeze(victim, takeovers) : await die(victim, takeovers, way === 0 ? 0 : away_ms)
    kills.push(kill)
    // Whoever fails to come back is told of at the end.
    back.catch(() => undefined)
    returning.push(back)
    if (options.database && turn % 4 === 3) {
      const pid = embedded.pid()
      options.log(`PostgreSQL as well`)
      if (pid !== null) process.kill(pid, 'SIGKILL')
      database += 1
    }
  }
  await Promise.all(returning)
  return { kills, frozen, database }
}

interface Death {
  readonly kill: Kill
  /** Resolves when the server is back. */
  readonly back: Promise<void>
}

/** What it had sent to the database is committed or not after so long. */
const settle_ms = 150

const die = async (victim: Member, takeovers: Takeovers, stays_away_ms: number): Promise<Death> => {
  victim.up = false
  const dead_since = Date.now()
  await victim.server.killServer()
  const gone = Date.now()
  await pause(settle_ms)
  const held = await heldBy(victim, takeovers, dead_since)
  const comeBack = async (): Promise<void> => {
    await pause(stays_away_ms)
    await startAgain(victim)
  }
  return { kill: { at: dead_since, gone, held }, back: comeBack() }
}

/** As whoever supervises it would: a server ends when it finds no database at its start. */
const startAgain = async (victim: Member): Promise<void> => {
  for (let left = 20; ; left -= 1) {
    try {
      await victim.server.start()
      victim.up = true
      return
    } catch (error) {
      if (left === 0) throw error
      await pause(250)
    }
  }
}

/** A server that goes on after it was taken for dead may still send what it was about to send, until its next word with the database. */
const thaw_ms = 2_000

const freeze = async (victim: Member, takeovers: Takeovers): Promise<Death> => {
  victim.up = false
  const dead_since = Date.now()
  victim.server.signal('SIGSTOP')
  await pause(settle_ms)
  const held = await heldBy(victim, takeovers, dead_since)
  const goOn = async (): Promise<void> => {
    await pause(away_ms)
    victim.server.signal('SIGCONT')
    await pause(thaw_ms)
    victim.up = true
  }
  return { kill: { at: dead_since, gone: dead_since + away_ms + thaw_ms, held }, back: goOn() }
}

/** The database may be away itself for a moment. */
const heldBy = async (victim: Member, takeovers: Takeovers, dead_since: number): Promise<ReadonlySet<string>> => {
  for (let left = 50; ; left -= 1) {
    try {
      return await takeovers.died(victim.worker_id, dead_since)
    } catch (error) {
      if (left === 0) throw error
      await pause(100)
    }
  }
}
