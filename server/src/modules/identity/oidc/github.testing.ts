import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { closeServer, listen } from './provider.testing.ts'

/** GitHub at wire level, as an Enterprise Server has it: everything under one address. */
export interface TestGitHub {
  readonly issuer: string
  user: unknown
  emails: unknown
  /** What the browser is sent back with besides `state`; by default a code. */
  answer: ((code: string) => { readonly [name: string]: string }) | null
  /** Stands before every path; true when it has answered, or never will. */
  weather: (path: string, response: ServerResponse) => boolean
  readonly asked: { readonly path: string; readonly authorization: string | undefined }[]
  readonly close: () => Promise<void>
}

export const testGitHub = async (client: { readonly client_id: string; readonly client_secret: string }): Promise<TestGitHub> => {
  const codes = new Map<string, { readonly challenge: string; readonly redirect_uri: string }>()
  const tokens = new Set<string>()
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', it.issuer)
    const { authorization } = request.headers
    it.asked.push({ path: url.pathname, authorization })
    if (it.weather(url.pathname, response)) return
    const json = (body: unknown, status = 200): void =>
      void response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body))
    if (url.pathname === '/login/oauth/authorize') {
      const code = randomUUID()
      codes.set(code, { challenge: url.searchParams.get('code_challenge') ?? '', redirect_uri: url.searchParams.get('redirect_uri') ?? '' })
      const back = new URL(url.searchParams.get('redirect_uri') ?? '')
      for (const [name, value] of Object.entries(it.answer?.(code) ?? { code })) back.searchParams.set(name, value)
      back.searchParams.set('state', url.searchParams.get('state') ?? '')
      return void response.writeHead(302, { location: back.href }).end()
    }
    if (url.pathname === '/login/oauth/access_token') {
      const form = new URLSearchParams(Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString())
      const known = codes.get(form.get('code') ?? '')
      codes.delete(form.get('code') ?? '')
      const verified =
        createHash('sha256')
          .update(form.get('code_verifier') ?? '')
          .digest('base64url') === known?.challenge
      const right = form.get('client_id') === client.client_id && form.get('client_secret') === client.client_secret
      // It says so with 200, as the real one does.
      if (!right) return json({ error: 'incorrect_client_credentials' })
      if (!verified || known?.redirect_uri !== form.get('redirect_uri')) return json({ error: 'bad_verification_code' })
      const access_token = `gho_${randomUUID()}`
      tokens.add(access_token)
      return json({ access_token, token_type: 'bearer', scope: 'read:user,user:email' })
    }
    if (!tokens.has((authorization ?? '').replace('Bearer ', ''))) return json({ message: 'Bad credentials' }, 401)
    if (url.pathname === '/api/v3/user') return json(it.user)
    if (url.pathname === '/api/v3/user/emails') return json(it.emails)
    return json({ message: 'Not Found' }, 404)
  }
  const server = createServer((request, response) => void handle(request, response))
  const it: TestGitHub = {
    issuer: await listen(server),
    user: null,
    emails: [],
    answer: null,
    weather: () => false,
    asked: [],
    close: () => closeServer(server),
  }
  return it
}
