import { randomInt } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { drafts_named } from './kinds.ts'
import type { Account, Workflow } from './workflows.ts'

/** A start that a server has acknowledged: its reply named the execution. */
export interface Acknowledged {
  readonly execution_id: string
  readonly kind: string
  readonly n: number
}

export interface Load {
  readonly acknowledged: readonly Acknowledged[]
  readonly unanswered: () => number
  /** To be told of what the receiver of effects hears: who waits to be called is. */
  readonly heard: (body: Record<string, unknown>, key: string) => void
  readonly stop: () => Promise<void>
}

export interface LoadOptions {
  /** Of the servers; each call goes to another one. */
  readonly urls: readonly string[]
  readonly workflows: readonly Workflow[]
  readonly clients: number
  /** Of each client between two calls, milliseconds. */
  readonly pause_ms: number
}

/** Longer than a server takes that is alive; one that is frozen is given up after so long. */
const patience_ms = 5_000
/** How often a call with a key is made again: as long as a server can be away. */
const tries = 40
/** After the last start. */
const answered_within_ms = 40_000

export const startLoad = ({ urls, workflows, clients, pause_ms }: LoadOptions): Load => {
  const acknowledged: Acknowledged[] = []
  const callable = workflows.filter(({ path }) => path !== null)
  const asked = new Set<string>([])
  const resumed = new Set<string>([])
  let running = true
  let given_up = false
  let turn = 0
  let next = 0
  let unanswered = 0
  const url = (): string => urls[turn++ % urls.length] as string

  const post = async (path: string, n: number, headers: { readonly [name: string]: string }): Promise<string | null> => {
    try {
      const reply = await fetch(url() + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ n }),
        signal: AbortSignal.timeout(patience_ms),
      })
      await reply.arrayBuffer()
      return reply.ok ? reply.headers.get('x-millrace-execution-id') : null
    } catch {
      return null
    }
  }

  const start = async ({ kind, path }: Workflow, n: number): Promise<void> => {
    const is_keyed = kind.started === 'keyed'
    for (let left = is_keyed ? tries : 1; left > 0; left -= 1) {
      const execution_id = await post(path as string, n, is_keyed ? { 'idempotency-key': `"race-${n}"` } : {})
      if (execution_id !== null) return void acknowledged.push({ execution_id, kind: kind.name, n })
      unanswered += 1
      await pause(is_keyed ? 250 : 20)
    }
  }

  const client = async (): Promise<void> => {
    while (running) {
      const n = next++
      await start(callable[randomInt(callable.length)] as Workflow, n)
      await pause(randomInt(2 * pause_ms + 1))
    }
  }

  /** Until it has been taken: the workflow may not wait yet, a server may be away, and the answer that says so may be lost. */
  const answer = async (path: string, n: number, execution_id: string): Promise<void> => {
    while (!resumed.has(execution_id) && !given_up) {
      const reply = await fetch(url() + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ n }),
        signal: AbortSignal.timeout(patience_ms),
      }).catch(() => null)
      if (reply?.ok === true) return
      await pause(250)
    }
  }
  const answers: Promise<void>[] = []

  const all = Array.from({ length: clients }, client)
  return {
    acknowledged,
    unanswered: () => unanswered,
    heard: ({ resume, n }, key) => {
      const [execution_id = '', path] = key.split(':')
      if (path === 'resumed') resumed.add(execution_id)
      if (typeof resume !== 'string' || asked.has(execution_id)) return
      asked.add(execution_id)
      answers.push(answer(new URL(resume).pathname, Number(n), execution_id))
    },
    stop: async () => {
      running = false
      await Promise.all(all)
      const timer = setTimeout(() => (given_up = true), answered_within_ms)
      await Promise.all(answers)
      clearTimeout(timer)
    },
  }
}

/** Makes drafts until it is stopped, each an event that starts a workflow. Answers with the ids that servers have told of. */
export const startDrafts = (accounts: readonly Account[], pause_ms: number) => {
  let running = true
  const told: string[] = []
  const make = async (): Promise<void> => {
    for (let number = 0; running; number += 1) {
      const { call } = accounts[number % accounts.length] as Account
      const draft = { name: `${drafts_named}${number}`, definition: { nodes: [], edges: [] } }
      const made = await call('POST', '/workflows', draft).catch(() => null)
      if (made !== null) told.push(String(made['id']))
      await pause(pause_ms)
    }
  }
  const making = make()
  return {
    stop: async (): Promise<readonly string[]> => {
      running = false
      await making
      return told
    },
  }
}
