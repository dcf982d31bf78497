import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Configuration, Provider } from 'oidc-provider'

/** Somebody at the provider, and what it says of them. */
export interface Person {
  readonly sub: string
  readonly [claim: string]: unknown
}

export interface TestProvider {
  readonly issuer: string
  /** Who logs in with the given name. Without an entry the name is the subject and nothing else is said. */
  readonly people: Map<string, Person>
  /** Begins to serve: the clients' addresses are known only once their server listens. */
  readonly open: (clients: Configuration['clients'], more?: Configuration) => void
  readonly close: () => Promise<void>
}

export const listen = async (server: Server): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve, reject) => {
    server.closeAllConnections()
    server.close((error) => (error === undefined ? resolve() : reject(error)))
  })

/** A certified OpenID provider on this machine, with its own pages to log in and to agree. */
export const testProvider = async (): Promise<TestProvider> => {
  const people = new Map<string, Person>()
  let handle: ReturnType<Provider['callback']> | null = null
  const server = createServer((request, response) => void handle?.(request, response))
  const issuer = await listen(server)
  return {
    issuer,
    people,
    open: (clients = [], more = {}) => {
      const provider = new Provider(issuer, {
        clients,
        pkce: { required: () => true },
        claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
        findAccount: (_ctx, id) => ({ accountId: people.get(id)?.sub ?? id, claims: async () => people.get(id) ?? { sub: id } }),
        cookies: { keys: ['a test has no secrets'] },
        ...more,
      })
      handle = provider.callback()
    },
    close: () => closeServer(server),
  }
}
