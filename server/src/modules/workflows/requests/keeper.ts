import type { Json, JsonObject } from '../../../lib/json.ts'
import type { App } from '../../../platform/context.ts'
import type { RawRequest } from '../../../platform/http/route.ts'
import { defineService } from '../../../platform/service.ts'
import { keptHeaders } from '../hooks/payload.ts'
import { secretHeader } from '../hooks/signatures.ts'
import type { Hook } from '../hooks/table.ts'
import { settings } from '../settings.ts'
import { insertKept, type NewKeptRow } from './kept-store.ts'

/** Why a call started nothing. */
export type Refusal = 'unauthorized' | 'paused' | 'duplicate' | 'unreadable' | 'loop' | 'plan_limit'

/** Where it came to, as it was called. */
interface Came {
  readonly hook: Hook
  readonly path: string
  readonly request: RawRequest
}

/** Notes calls beside their way: nobody waits for it, and what cannot be written is lost. */
export interface RequestKeeper {
  readonly refused: (came: Came, reason: Refusal) => void
  /** The bytes of a call that has started an execution, where its payload does not tell them. */
  readonly accepted: (came: Came, execution_id: string, body: Json) => void
  /** Writes what has gathered. Never rejects. */
  readonly flush: () => Promise<void>
}

const flush_ms = 250
/** Written at once, and held in memory at most. */
const most_gathered = 500
/** Of one body. */
const most_body = 65_536
const hour_ms = 3_600_000

/** What one workflow may have kept by this process until the next tidying: so a stranger who calls and calls fills nothing. */
interface Share {
  count: number
  bytes: number
}

const gather = (app: App) => {
  const { kept_requests: most_count, kept_request_bytes: most_bytes } = app.settings(settings)
  let shares = new Map<string, Share>()
  let since = 0
  let gathered: NewKeptRow[] = []
  let timer: NodeJS.Timeout | null = null
  let writing: Promise<void> = Promise.resolve()

  const write = async (): Promise<void> => {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const rows = gathered
    gathered = []
    if (rows.length === 0) return
    try {
      await app.asSystem('calls of webhooks are kept, those of all workspaces').tx((tx) => insertKept(tx.db, rows))
    } catch (error) {
      app.log.warn({ err: error, lost: rows.length }, 'calls of webhooks could not be kept')
    }
  }
  const flush = (): Promise<void> => (writing = writing.then(write))

  const hasRoom = (workflow_id: string, bytes: number): boolean => {
    if (app.now() - since >= hour_ms) {
      shares = new Map()
      since = app.now()
    }
    const share = shares.get(workflow_id) ?? { count: 0, bytes: 0 }
    if (share.count >= most_count || share.bytes + bytes > most_bytes) return false
    share.count += 1
    share.bytes += bytes
    shares.set(workflow_id, share)
    return true
  }

  const add = ({ hook, path, request }: Came, id: string, reason: Refusal | null): void => {
    const { workspace_id, workflow_id, node_id, version } = hook
    const headers: JsonObject = keptHeaders(request.headers, secretHeader(hook.auth))
    const body = request.body.subarray(0, most_body)
    if (gathered.length >= most_gathered || !hasRoom(workflow_id, body.length + request.query.length + 4_096)) return
    gathered.push({
      ...{ id, workspace_id, workflow_id, node_id, version, path, headers, reason },
      outcome: reason === null ? 'accepted' : 'refused',
      method: request.method,
      query: request.query,
      body: body.toString('base64'),
      bytes: request.body.length,
      received_at: new Date(app.now()).toISOString(),
    })
    timer ??= setTimeout(() => void flush(), flush_ms).unref()
  }
  return { add, flush }
}

export const requestKeeper = defineService<RequestKeeper>({
  name: 'workflows.request_keeper',
  create: (app) => {
    const { add, flush } = gather(app)
    return {
      refused: (came, reason) => {
        if (came.hook.keep_requests !== 'none') add(came, app.newId(), reason)
      },
      accepted: (came, execution_id, body) => {
        if (came.hook.keep_requests !== 'all') return
        const { body: raw } = came.request
        if (raw.length > 0 && raw.toString('utf8') !== JSON.stringify(body)) add(came, execution_id, null)
      },
      flush,
    }
  },
  drain: (keeper) => keeper.flush(),
  stop: (keeper) => keeper.flush(),
})
