import { request } from 'node:http'
import { text } from 'node:stream/consumers'

/** Somebody who is signed in, and calls the API from an address of this machine. */
export interface Account {
  readonly email: string
  readonly password: string
  readonly token: string
  readonly call: <Reply = Record<string, unknown>>(method: string, path: string, body?: unknown) => Promise<Reply>
  /** The reply's body as it came. */
  readonly read: (path: string) => Promise<string>
}

interface Call {
  readonly port: number
  readonly from: string
  readonly method: string
  readonly path: string
  readonly token: string | null
  readonly body?: unknown
}

const send = ({ port, from, method, path, token, body }: Call): Promise<string> =>
  new Promise((resolve, reject) => {
    const payload = body === undefined ? '' : JSON.stringify(body)
    const headers = {
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    }
    const call = request(
      { host: '127.0.0.1', port, localAddress: from, method, path: `/api/v1${path}`, headers, agent: false },
      (response) => {
        text(response).then((reply) => {
          const ok = response.statusCode !== undefined && response.statusCode < 300
          if (ok) resolve(reply)
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${reply}`))
        }, reject)
      },
    )
    call.on('error', reject)
    call.end(payload)
  })

/** Signs up user `number` of this server, from an address of their own, as people do. Linux answers on all of 127.0.0.0/8. */
export const signUp = async (port: number, number: number): Promise<Account> => {
  const from = process.platform === 'linux' ? `127.1.0.${number + 1}` : '127.0.0.1'
  const email = `bench-${number}@example.org`
  const password = `salt spray on mill wheel ${number}`
  const body = { email, password, username: `bench-${number}` }
  const { access_token } = JSON.parse(await send({ port, from, method: 'POST', path: '/auth/register', token: null, body })) as {
    access_token: string
  }
  const token = access_token
  return {
    email,
    password,
    token,
    call: async (method, path, input) => JSON.parse(await send({ port, from, method, path, token, body: input })) as never,
    read: (path) => send({ port, from, method: 'GET', path, token }),
  }
}
