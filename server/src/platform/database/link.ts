import { connect as connectSocket, type Socket } from 'node:net'
import postgres from 'postgres'
import { createRoster } from '../../lib/churn.ts'
import { codeOf, isConnectionLoss } from './errors.ts'
import { checkParameter, valueTypes } from './parsers.ts'

/** Where the database is and as whom to sign in. With a `url` the rest may be left out. */
export interface ConnectionOptions {
  readonly url?: string
  /** A host name, an address, or the directory of a Unix socket. */
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly password?: string
  readonly database?: string
}

export type Role = 'millrace_app' | 'millrace_system'

export interface Rows extends Array<Record<string, unknown>> {
  readonly count: number
  readonly command: string
}

/** One connection for as long as it lives. It never reconnects: what was said on it, its scope, its locks, cannot silently be gone. */
export interface Link {
  /** Runs a prepared statement. Statements go out in the order of the calls, without waiting for each other. */
  readonly send: (text: string, parameters: readonly unknown[]) => Promise<Rows>
  /** Runs statements that take no parameters, in one message. */
  readonly sendSimple: (text: string) => Promise<Rows>
  readonly alive: () => boolean
  /** Lets what was sent finish, for at most `grace_s`, and disconnects. */
  readonly close: (grace_s?: number) => Promise<void>
}

export interface LinkOptions {
  readonly connection: ConnectionOptions
  /** The role to work as; null for the login user itself. */
  readonly role: Role | null
  readonly settings?: { readonly [name: string]: string }
  readonly onNotify?: (channel: string, payload: string) => void
  readonly onLost?: () => void
}

/** Options of the driver that every connection of ours shares. */
export const driverOptions = (
  options: Pick<LinkOptions, 'connection' | 'role' | 'settings'>,
): postgres.Options<Record<string, postgres.PostgresType>> => {
  const { url: _, ...parts } = options.connection
  return {
    ...parts,
    types: valueTypes(),
    fetch_types: false,
    prepare: true,
    // Recycling a connection by age would pull it away under the statements that belong together.
    max_lifetime: null,
    idle_timeout: 0,
    connect_timeout: 10,
    onnotice: () => undefined,
    no_subscribe: true,
    connection: {
      application_name: 'millrace',
      TimeZone: 'UTC',
      DateStyle: 'ISO',
      // Not the default `"$user", public`: the embedded login is called like the schema of our functions.
      search_path: 'public',
      ...(options.role === null ? {} : { role: options.role }),
      ...options.settings,
    },
  } as postgres.Options<Record<string, postgres.PostgresType>>
}

export const openClient = (connection: ConnectionOptions, options: postgres.Options<Record<string, postgres.PostgresType>>): postgres.Sql =>
  connection.url === undefined ? postgres(options) : postgres(connection.url, options)

export const connectionLost = (): Error =>
  Object.assign(new Error('The connection to the database was lost.'), { code: 'CONNECTION_CLOSED' })

const movedError = (): Error =>
  Object.assign(new Error('The statement ran out of its turn.'), { code: '0A000', routine: 'RevalidateCachedQuery' })

/** Connects, and proves that the session has the role it is meant to have. */
export const openLink = async (options: LinkOptions): Promise<Link> => {
  const waiting = createRoster<(error: Error) => void>()
  let alive = true
  let dialled = false

  const die = (): void => {
    if (!alive) return
    alive = false
    for (const reject of waiting.drain()) reject(connectionLost())
    options.onLost?.()
  }

  const sql = openClient(options.connection, {
    ...driverOptions(options),
    max: 1,
    max_pipeline: 10_000,
    backoff: () => 0,
    onclose: die,
    onnotify: options.onNotify,
    // The driver would dial again by itself; a link lives once.
    socket: (target: Target) => {
      if (dialled) throw connectionLost()
      dialled = true
      return dial(target)
    },
  } as postgres.Options<Record<string, postgres.PostgresType>>)

  const run = (text: string, parameters: readonly unknown[], how: object): Promise<Rows> =>
    new Promise((resolve, reject) => {
      if (!alive) throw connectionLost()
      const safe = checkStatement(sql, text, parameters)
      const place = waiting.add(reject)
      const query = sql.unsafe(text, safe, how)
      query.then(
        (rows) => {
          waiting.remove(place)
          // The driver repeats a statement whose plan a migration has made invalid, at the end of the line: behind other scopes.
          if ('retried' in query) reject(movedError())
          else resolve(rows)
        },
        (error: Error) => {
          waiting.remove(place)
          // PostgreSQL says goodbye before the socket closes: what it says it to knows first.
          if (isConnectionLoss(error)) die()
          reject(error)
        },
      )
    })

  const link: Link = {
    send: (text, parameters) => run(text, parameters, { prepare: true, simple: false }),
    sendSimple: (text) => run(text, [], { prepare: false, simple: true }),
    alive: () => alive,
    close: async (grace_s = 5) => {
      // The driver would wait for the answer to what was under way on a connection that is gone.
      await sql.end({ timeout: alive ? grace_s : 0 })
      die()
    },
  }
  try {
    await checkRole(link, options.role)
  } catch (error) {
    await link.close(0)
    throw error
  }
  return link
}

const checkRole = async (link: Link, role: Role | null): Promise<void> => {
  const [row] = await link.sendSimple('select current_user as role')
  if (role === null || row?.['role'] === role) return
  throw new Error(
    `The database session works as ${String(row?.['role'])} and not as ${role}. Is there a pooler in between that drops start-up parameters?`,
  )
}

/** Answers the parameters as they can be written, or throws before anything of the statement is. */
const checkStatement = (sql: postgres.Sql, text: string, parameters: readonly unknown[]): never[] => {
  if (parameters.length > 65_000) throw new RangeError('A statement takes at most 65,000 parameters.')
  if (text.includes('\0')) throw new TypeError('A statement cannot hold a NUL character.')
  return parameters.map((value) => untyped(sql, checkParameter(value))) as never[]
}

/** Keeps the driver from guessing the type of a value: the statement knows better, and one text stays one prepared statement. */
const untyped = (sql: postgres.Sql, value: unknown): unknown =>
  typeof value === 'boolean' || Array.isArray(value) ? sql.typed(value as never, 0) : value

interface Target {
  readonly path?: string | false
  readonly host: readonly string[]
  readonly port: readonly number[]
}

const dial = async (target: Target): Promise<Socket> => {
  if (typeof target.path === 'string') return dialOne({ path: target.path })
  let failure: unknown
  for (const [index, host] of target.host.entries()) {
    try {
      const socket = await dialOne({ host, port: target.port[index] ?? 5432, noDelay: true })
      // The driver reads the name for TLS off the socket.
      return Object.assign(socket, { host })
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

const dialOne = (where: { path: string } | { host: string; port: number; noDelay: boolean }): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connectSocket(where)
    const timer = setTimeout(
      () => socket.destroy(Object.assign(new Error('The database did not answer within 10 s.'), { code: 'CONNECT_TIMEOUT' })),
      10_000,
    )
    socket.once('error', (error) => {
      clearTimeout(timer)
      reject(codeOf(error) === undefined ? Object.assign(error, { code: 'ECONNREFUSED' }) : error)
    })
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.removeAllListeners('error')
      resolve(socket)
    })
  })
