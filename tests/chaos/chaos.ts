import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Load, startDrafts, startLoad } from './load.ts'
import { type Kill, reconcile, type Report } from './reconcile.ts'
import { startReceiver } from './receiver.ts'
import { serverProcess, type ServerProcess } from './server-process.ts'
import { pauseTriggers, publishAll, signUp } from './workflows.ts'

export interface ChaosOptions {
  /** How often something is killed; the server and PostgreSQL take turns, the last time both. */
  readonly kills: number
  readonly clients: number
  /** Between two kills, milliseconds. */
  readonly between_ms: readonly [least: number, most: number]
  readonly log: (line: string) => void
}

/**
 * Webhooks come in without a pause while the server, then PostgreSQL, then both are killed. Afterwards every execution is
 * held against what callers were told, what the receiver of effects saw, and what the journal says.
 */
export const runChaos = async (options: ChaosOptions): Promise<Report> => {
  const data_dir = await mkdtemp(join(tmpdir(), 'millrace-chaos-'))
  let load: Load | null = null
  const receiver = await startReceiver((body, key) => load?.heard(body, key))
  const server = await serverProcess({ data_dir, env: { MILLRACE_OUTBOUND_ALLOW: `127.0.0.1:${receiver.port}` } })
  try {
    await server.start()
    const account = await signUp(server.url)
    const workflows = await publishAll(account, receiver.port)
    const drafts = startDrafts([account], 250)
    load = startLoad({ urls: [server.url], workflows, clients: options.clients, pause_ms: 20 })
    const kills = await killInTurn(server, load, options)
    await pause(500)
    await load.stop()
    const told = await drafts.stop()
    await pauseTriggers(account, workflows)
    const { acknowledged } = load
    options.log(`${acknowledged.length} starts acknowledged, ${load.unanswered()} without an answer; waiting for the last execution to end`)
    const { host, port } = server.database()
    return await reconcile(
      { host, port, user: 'millrace', database: 'millrace' },
      { acknowledged, workflows, calls: receiver.calls, kills, drafts: told, log: options.log },
    )
  } finally {
    await server.stop()
    await receiver.close()
    await rm(data_dir, { recursive: true, force: true })
  }
}

/** What dies has served before. */
const served = 20
const patience_ms = 30_000

const underWay = async ({ acknowledged }: Load): Promise<void> => {
  const enough = acknowledged.length + served
  const deadline = Date.now() + patience_ms
  while (acknowledged.length < enough && Date.now() < deadline) await pause(20)
}

/** Answers with when the server was killed. */
const killInTurn = async (server: ServerProcess, load: Load, options: ChaosOptions): Promise<readonly Kill[]> => {
  const kills: Kill[] = []
  const killServer = async (): Promise<void> => {
    const at = Date.now()
    await server.killServer()
    kills.push({ at, gone: Date.now(), held: null })
  }
  for (let kill = 0; kill < options.kills; kill++) {
    await underWay(load)
    await pause(randomInt(options.between_ms[0], options.between_ms[1]))
    const last = kill === options.kills - 1
    if (last) {
      options.log(`kill ${kill + 1}: PostgreSQL and the server`)
      server.killPostgres()
      await killServer()
    } else if (kill % 2 === 0) {
      options.log(`kill ${kill + 1}: the server`)
      await killServer()
    } else {
      options.log(`kill ${kill + 1}: PostgreSQL`)
      server.killPostgres()
      continue
    }
    await server.start()
  }
  return kills
}
