import { StartError } from '../start-error.ts'
import { codeOf } from './errors.ts'
import type { ConnectionOptions } from './link.ts'

/**
 * What `DATABASE_URL` says. The directory of a Unix socket may stand in it in both forms that PostgreSQL's own programs take:
 * `postgres://user@%2Fvar%2Frun%2Fpostgresql/name` and `postgres:///name?host=/var/run/postgresql&user=…`; the driver knows neither.
 */
export const connectionOf = (database_url: string): ConnectionOptions => {
  const url = new URL(database_url)
  const host = decodeURIComponent(url.hostname) || (url.searchParams.get('host') ?? '')
  if (!host.startsWith('/')) return { url: database_url }
  const part = (own: string, name: string): string | null => decodeURIComponent(own) || url.searchParams.get(name)
  const user = part(url.username, 'user')
  const password = part(url.password, 'password')
  const port = part(url.port, 'port')
  const database = part(url.pathname.slice(1), 'dbname')
  return {
    host,
    ...(port === null ? {} : { port: Number(port) }),
    ...(user === null ? {} : { user }),
    ...(password === null ? {} : { password }),
    ...(database === null ? {} : { database }),
  }
}

/** Says why the database of `DATABASE_URL` cannot be used, without the password in it. What is no matter of the connection comes back as it is. */
export const connectionError = (error: unknown, database_url: string): unknown => {
  const { hostname, port, username, pathname, searchParams } = new URL(database_url)
  const host = decodeURIComponent(hostname) || (searchParams.get('host') ?? 'localhost')
  const where = `The database of DATABASE_URL (${host}${port ? `:${port}` : ''})`
  switch (codeOf(error)) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StartError(`${where} cannot be found: there is no such host.`, 'Check the host name in DATABASE_URL.', error)
    case 'ECONNREFUSED':
    case 'ENOENT':
    case 'CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'CONNECTION_CLOSED':
    case 'CONNECTION_DESTROYED':
      return new StartError(
        `${where} does not answer.`,
        'Start it, or correct DATABASE_URL. Without DATABASE_URL the server brings its own.',
        error,
      )
    case '28P01':
    case '28000':
      return new StartError(
        `${where} does not let ${decodeURIComponent(username) || 'us'} in.`,
        'Check the user and the password in DATABASE_URL.',
        error,
      )
    case '3D000':
      return new StartError(
        `${where} has no database ${decodeURIComponent(pathname.slice(1))}.`,
        'Create it, or correct DATABASE_URL.',
        error,
      )
    default:
      return isCertificateProblem(error)
        ? new StartError(
            `${where} shows a certificate that is not trusted: ${(error as Error).message}.`,
            'Name its authority in NODE_EXTRA_CA_CERTS (a PEM file). With sslmode=require in DATABASE_URL the connection is encrypted and the certificate not checked.',
            error,
          )
        : error
  }
}

/** Names from OpenSSL and Node for a peer whose certificate does not prove who it is. */
const isCertificateProblem = (error: unknown): boolean =>
  /^(ERR_TLS_CERT|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/.test(codeOf(error) ?? '')
