import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export interface ConnectionLimits {
  /** Requests of one connection that are not answered yet. Nobody needs many: browsers send one at a time. */
  readonly most_unanswered: number
  /** A connection on which nothing moves for so long is closed, unless its request is being worked on. */
  readonly stuck_ms: number
}

export const connection_limits: ConnectionLimits = { most_unanswered: 128, stuck_ms: 60_000 }

/** A request with more before it on the same connection than there may be. */
export const isCrowded = (request: IncomingMessage): boolean => (request as Marked).crowded === true

type Marked = IncomingMessage & { crowded?: boolean }

/**
 * Keeps one client from taking what is for all: requests sent without waiting for replies would fill the memory with replies, and
 * replies that are never read would stay in it.
 */
export const limitConnections = (server: Server, limits: ConnectionLimits = connection_limits): void => {
  const unanswered = new WeakMap<Socket, number>()
  // Before the router sees it.
  server.prependListener('request', (request: Marked, response: ServerResponse) => {
    const { socket } = request
    const waiting = (unanswered.get(socket) ?? 0) + 1
    unanswered.set(socket, waiting)
    if (waiting > limits.most_unanswered) request.crowded = true
    // After the last byte has left, not when the reply was handed over.
    response.once('close', () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1))
  })
  server.setTimeout(limits.stuck_ms, (socket) => {
    if (!isWorkedOn(socket)) socket.destroy()
  })
}

/** Node keeps the reply in progress there; one without a head is still being made, and has time limits of its own. */
const isWorkedOn = (socket: Socket): boolean =>
  (Reflect.get(socket, '_httpMessage') as ServerResponse | null | undefined)?.headersSent === false
