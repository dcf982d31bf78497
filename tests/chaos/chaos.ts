import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Kill, reconcile, type Report } from './reconcile.ts'
import { startReceiver } from './receiver.ts'
import { serverProcess, type ServerProcess } from './server-process.ts'
import { createWorkflows, signUp } from './workflows.ts'

/** A start that the server has acknowledged: its reply named the execution. */
export interface Acknowledged {
  readonly execution_id: string
  readonly kind: 'effects' | 'pure'
  readonly n: number
}

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
  const receiver = await startReceiver()
  const server = await serverProcess({ data_dir, env: { MILLRACE_OUTBOUND_ALLOW: `127.0.0.1:${receiver.port}` } })
  try {
    await server.start()
    const account = await signUp(server.url)
    const workflows = await createWorkflows(account, receiver.port)
    const acknowledged: Acknowledged[] = []
    const load = startLoad({ clients: options.clients, effects: workflows.effects, pure: workflows.pure, acknowledged })
    const server_kills = await killInTurn(server, options)
    await pause(500)
    await load.stop()
    options.log(`${acknowledged.length} starts acknowledged, ${load.unanswered()} without an answer; waiting for the last execution to end`)
    return await reconcile({ database: server.database(), acknowledged, calls: receiver.calls, server_kills, log: options.log })
  } finally {
    await server.stop()
    await receiver.close()
    await rm(data_dir, { recursive: true, force: true })
  }
}

/** Answers with when the server was killed. */
const killInTurn = async (server: ServerProcess, options: ChaosOptions): Promise<readonly Kill[]> => {
  const server_kills: Kill[] = []
  const killServer = async (): Promise<void> => {
    const at = Date.now()
    await server.killServer()
    server_kills.push({ at, gone: Date.now() })
  }
  for (let kill = 0; kill < options.kills; kill++) {
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
  return server_kills
}

const startLoad = (input: {
  readonly clients: number
  readonly effects: string
  readonly pure: string
  readonly acknowledged: Acknowledged[]
}) => {
  let running = true
  let next = 0
  let unanswered = 0
  const client = async (number: number): Promise<void> => {
    while (running) {
      const n = next++
      const kind = (n + number) % 2 === 0 ? 'effects' : 'pure'
      const reply = await fetch(input[kind], {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ n }),
        signal: AbortSignal.timeout(15_000),
      }).catch(() => null)
      const execution_id = reply?.headers.get('x-millrace-execution-id')
      if (reply !== null && reply.ok && typeof execution_id === 'string') input.acknowledged.push({ execution_id, kind, n })
      else {
        unanswered += 1
        await pause(20)
      }
      await reply?.arrayBuffer().catch(() => null)
    }
  }
  const clients = Array.from({ length: input.clients }, (_, number) => client(number))
  return {
    unanswered: () => unanswered,
    stop: async () => {
      running = false
      await Promise.all(clients)
    },
  }
}
