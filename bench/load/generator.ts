import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Carried, LoadOptions, LoadRequest, LoadResult } from './contract.ts'
import { histogram } from './histogram.ts'
import { type ScannedResponse, scanner } from './scanner.ts'

/** How long a request may take before its connection is given up. */
const patience_ms = 30_000
/** Between a connection that failed and the next try. */
const reconnect_ms = 20

interface Prepared {
  readonly bytes: Buffer
  readonly status: number
  readonly body: Buffer | null
  /** Puts what a reply carries into the bytes. */
  readonly carry: ((reply: Buffer) => void) | null
}

/** Copies the field's text over what stood in its place; both have the same length. A reply without it is a wrong one anyway. */
const carrier = (bytes: Buffer, { field, first }: Carried): ((reply: Buffer) => void) => {
  const at = bytes.indexOf(first)
  if (at === -1) throw new Error(`the body does not hold what ${field} would replace`)
  const before = Buffer.from(`"${field}":"`)
  return (reply) => {
    const found = reply.indexOf(before)
    if (found !== -1) reply.copy(bytes, at, found + before.length, found + before.length + first.length)
  }
}

const prepare = (request: LoadRequest, authority: string): Prepared => {
  const body = request.body === null ? '' : request.body
  const length = request.body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const headers = Object.entries({ host: authority, ...request.headers, ...length })
  const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const bytes = Buffer.from(`${request.method} ${request.path} HTTP/1.1\r\n${head}\r\n${body}`)
  return {
    bytes,
    status: request.expect.status,
    body: request.expect.body === null ? null : Buffer.from(request.expect.body),
    carry: request.carries === undefined ? null : carrier(bytes, request.carries),
  }
}

/** What all clients of a run count together. */
const tally = (options: LoadOptions) => {
  const begin = performance.now() + options.warm_up_s * 1000
  const end = begin + options.measured_s * 1000
  const latency = histogram()
  const statuses: { [status: string]: number } = {}
  const errors: { [code: string]: number } = {}
  let right = 0
  let wrong = 0
  let first_wrong: string | null = null

  return {
    begin,
    end,
    latency,
    replied: (request: Prepared, sent: number, response: ScannedResponse): void => {
      const now = performance.now()
      statuses[response.status] = (statuses[response.status] ?? 0) + 1
      if (response.status !== request.status || (request.body !== null && !request.body.equals(response.body))) {
        wrong += 1
        first_wrong ??= `${response.status} ${response.body.toString('utf8').slice(0, 500)}`
      } else if (now >= begin && now < end) right += 1
      if (sent >= begin && sent < end) latency.record((now - sent) * 1000)
    },
    failed: (code: string): void => {
      errors[code] = (errors[code] ?? 0) + 1
    },
    result: (elsewhere_s: number): LoadResult => ({
      requests_per_s: Math.round(right / options.measured_s),
      p50_ms: latency.quantile_us(0.5) / 1000,
      p90_ms: latency.quantile_us(0.9) / 1000,
      p99_ms: latency.quantile_us(0.99) / 1000,
      max_ms: latency.max_us() / 1000,
      statuses,
      wrong,
      first_wrong,
      errors,
      elsewhere_s,
    }),
  }
}

interface Told {
  readonly opened: (socket: Socket) => void
  /** The response is valid until this returns. False: nothing was asked for. */
  readonly replied: (socket: Socket, response: ScannedResponse) => boolean
  /** With the reason when it was not us who closed it. */
  readonly closed: (failure: string | null) => void
}

const openConnection = (options: LoadOptions, from: string | undefined, told: Told): void => {
  const scan = scanner()
  let failure: string | null = null
  const receive = (length: number, buffer: Uint8Array): boolean => {
    try {
      const response = scan.push(Buffer.from(buffer.buffer, buffer.byteOffset, length))
      if (response !== null && !told.replied(socket, response)) throw new Error('a response that nobody asked for')
    } catch (error) {
      failure = (error as Error).message
      socket.destroy()
    }
    return true
  }
  const socket: Socket = connect({
    host: options.host,
    port: options.port,
    noDelay: true,
    ...(from === undefined ? {} : { localAddress: from }),
    // Read into one buffer without a stream in between: a third less CPU per response.
    onread: { buffer: Buffer.allocUnsafe(65_536), callback: receive },
  })
  socket.on('connect', () => told.opened(socket))
  socket.on('timeout', () => {
    failure = 'timeout'
    socket.destroy()
  })
  socket.on('error', (error: NodeJS.ErrnoException) => (failure = error.code ?? error.message))
  socket.on('close', () => told.closed(failure))
  socket.setTimeout(patience_ms)
}

interface ClientOptions {
  readonly options: LoadOptions
  readonly number: number
  readonly requests: readonly Prepared[]
  readonly counts: ReturnType<typeof tally>
}

/** One client, on one connection at a time. Resolves when the run's time is over and no request of it is under way. */
const runClient = ({ options, number, requests, counts }: ClientOptions): Promise<void> => {
  const { from_addresses, pace_per_s, clients, requests_per_connection } = options
  const { promise, resolve } = Promise.withResolvers<void>()
  const between_ms = pace_per_s === null ? 0 : (clients * 1000) / pace_per_s
  let turn = number
  let due = counts.begin - options.warm_up_s * 1000 + (between_ms * number) / clients
  let pending: { readonly request: Prepared; readonly sent: number } | null = null
  let connections = number
  let left = 0

  const send = (socket: Socket): void => {
    const now = performance.now()
    if (now >= counts.end || left === 0) return void socket.destroy()
    if (between_ms > 0 && due > now) return void setTimeout(send, due - now, socket)
    const request = requests[turn % requests.length] as Prepared
    // What is good for one use is one client's.
    turn += request.carry === null ? 1 : clients
    pending = { request, sent: between_ms > 0 ? due : now }
    left -= 1
    due += between_ms
    socket.write(request.bytes)
  }

  const replied: Told['replied'] = (socket, response) => {
    if (pending === null) return false
    counts.replied(pending.request, pending.sent, response)
    pending.request.carry?.(response.body)
    pending = null
    if (response.closes) socket.destroy()
    else send(socket)
    return true
  }

  const closed: Told['closed'] = (failure) => {
    const broken = pending !== null || failure !== null
    if (broken) counts.failed(failure ?? 'closed before the reply')
    pending = null
    if (performance.now() >= counts.end) resolve()
    else if (broken) setTimeout(open, reconnect_ms)
    else open()
  }

  const open = (): void => {
    left = requests_per_connection ?? Infinity
    openConnection(options, from_addresses[connections % Math.max(1, from_addresses.length)], { opened: send, replied, closed })
    connections += clients
  }

  open()
  return promise
}

const options = JSON.parse(await text(process.stdin)) as LoadOptions
if (!(options.warm_up_s >= 0 && options.measured_s > 0 && options.clients > 0 && options.requests.length > 0)) {
  throw new Error('a load needs warm_up_s, measured_s, clients and requests: without them it would never end')
}
if (options.requests.some(({ carries }) => carries !== undefined) && options.requests.length % options.clients !== 0) {
  throw new Error('what a request carries is good for one use: each client needs as many requests of its own')
}
const requests = options.requests.map((request) => prepare(request, `${options.host}:${options.port}`))
const counts = tally(options)
await Promise.all(Array.from({ length: options.clients }, (_, number) => runClient({ options, number, requests, counts })))
const { user, system } = process.cpuUsage()
process.stdout.write(`${JSON.stringify(counts.result((user + system) / 1e6))}\n`)
