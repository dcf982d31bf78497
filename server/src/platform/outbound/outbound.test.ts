import { createServer, type RequestListener } from 'node:http'
import { createServer as createSocketServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import { Problem } from '../errors.ts'
import type { Resolve } from './connect.ts'
import { createOutbound, type Outbound, type OutboundRequest } from './outbound.ts'

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const listening = async (server: Server, host: string): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return (server.address() as AddressInfo).port
}

/** A real server on a loopback address; `seen` counts the requests that reached it. */
const serve = async (listener: RequestListener, host = '127.0.0.1') => {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    listener(request, response)
  })
  const port = await listening(server, host)
  cleanups.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { port, seen, origin: `http://${host}:${port}` }
}

const client = (options: { allow?: readonly string[]; resolve?: Resolve } = {}): Outbound => {
  const outbound = createOutbound({ allow: options.allow ?? ['127.0.0.1'], ...(options.resolve && { resolve: options.resolve }) })
  cleanups.push(outbound.close)
  return outbound
}

/** The code of the problem that a request ends with; an answer fails the test. */
const problemOf = async (outbound: Outbound, request: Partial<OutboundRequest> & { url: string }): Promise<string> => {
  const outcome = await outbound.request({ method: 'GET', ...request }).then(
    (answer) => new Error(`answered ${answer.status}`),
    (error: unknown) => error,
  )
  if (!(outcome instanceof Problem)) throw outcome
  return outcome.code
}

const answersTo =
  (answers: { readonly [host: string]: readonly string[] }): Resolve =>
  async (host) =>
    (answers[host] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))

test('a request comes back with status, headers, body and the address that answered', async () => {
  const server = await serve((request, response) => {
    let body = ''
    request
      .on('data', (chunk) => (body += chunk))
      .on('end', () => {
        response.writeHead(201, { 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'], 'x-twice': ['1', '2'] })
        response.end(JSON.stringify({ method: request.method, url: request.url, body, headers: request.headers }))
      })
  })
  const answer = await client().request({
    method: 'post',
    url: `${server.origin}/a?b=c#fragment`,
    headers: { 'X-Custom': 'yes', 'Content-Type': 'text/plain' },
    body: 'hello',
  })
  expect(answer.status).toBe(201)
  expect(answer.url).toBe(`${server.origin}/a?b=c`)
  expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'], 'x-twice': '1, 2' })
  expect(answer.duration_ms).toBeGreaterThanOrEqual(0)
  expect(JSON.parse(answer.body.toString())).toMatchObject({
    method: 'POST',
    url: '/a?b=c',
    body: 'hello',
    headers: { 'x-custom': 'yes', 'user-agent': 'Millrace', 'content-type': 'text/plain' },
  })
})

// Every one of these leads to a forbidden address; PORT is a real server that would answer if one got through.
const hostile = [
  'http://127.0.0.1:PORT/',
  'http://127.1:PORT/',
  'http://127.0.1:PORT/',
  'http://127.0.0.1.:PORT/',
  'http://2130706433:PORT/',
  'http://0x7f000001:PORT/',
  'http://0x7f.0.0.1:PORT/',
  'http://0x7f.1:PORT/',
  'http://017700000001:PORT/',
  'http://0177.0.0.1:PORT/',
  'http://0177.0.0.01:PORT/',
  'http://00000177.0.0.1:PORT/',
  'http://127.000.000.001:PORT/',
  'http://127.0.0.1%2e:PORT/',
  'http://%31%32%37.0.0.1:PORT/',
  'http://①②⑦.⓪.⓪.①:PORT/',
  'http://１２７.０.０.１:PORT/',
  'http://127。0。0。1:PORT/',
  'http://127．0．0．1:PORT/',
  'http:127.0.0.1:PORT/',
  'http:/127.0.0.1:PORT/',
  'http:\\\\127.0.0.1:PORT/',
  'http:///127.0.0.1:PORT/',
  '  http://127.0.0.1:PORT/  ',
  'ht\ntp://127.0.0.1:PORT/',
  'http://127.0.0.1:PORT\\@example.com/',
  'HTTP://127.0.0.1:PORT/',
  'http://127.8.8.8:PORT/',
  'http://0.0.0.0:PORT/',
  'http://0:PORT/',
  'http://0x0:PORT/',
  'http://00:PORT/',
  'http://[::1]:PORT/',
  'http://[0:0:0:0:0:0:0:1]:PORT/',
  'http://[0000::0001]:PORT/',
  'http://[::]:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://[::ffff:7f00:1]:PORT/',
  'http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/',
  'http://[::127.0.0.1]:PORT/',
  'http://[64:ff9b::127.0.0.1]:PORT/',
  'http://[64:ff9b::7f00:1]:PORT/',
  'http://[64:ff9b:1::7f00:1]:PORT/',
  'http://[2002:7f00:1::]:PORT/',
  'http://[2001:0:7f00:1::]:PORT/',
  'http://[fe80::1]:PORT/',
  'http://[fc00::1]:PORT/',
  'http://[fd00:ec2::254]/latest/meta-data/',
  'http://[ff02::1]:PORT/',
  'http://169.254.169.254/latest/meta-data/',
  'http://2852039166/',
  'http://0xa9fea9fe/',
  'http://0251.0376.0251.0376/',
  'http://169.254.43518/',
  'http://[::ffff:a9fe:a9fe]/',
  'http://10.0.0.1/',
  'http://10.1/',
  'http://172.16.0.1/',
  'http://192.168.0.1/',
  'http://192.168.1/',
  'http://100.64.0.1/',
  'http://100.100.100.200/',
  'http://168.63.129.16/',
  'http://198.18.0.1/',
  'http://192.0.0.192/',
  'http://224.0.0.1/',
  'http://240.0.0.1/',
  'http://255.255.255.255/',
  'http://4294967295/',
  'http://localhost:PORT/',
  'http://LOCALHOST:PORT/',
  'http://localhost.:PORT/',
  'http://inside.example:PORT/',
  'http://mixed.example:PORT/',
  'http://mapped.example:PORT/',
  'http://nat64.example:PORT/',
  'http://ⓘⓝⓢⓘⓓⓔ.example:PORT/',
  'http://user@127.0.0.1:PORT/',
  'http://user:password@public.example/',
  'http://public.example@127.0.0.1:PORT/',
  'http://127.0.0.1:PORT#@public.example/',
  'http://public.example:25/',
  'file:///etc/passwd',
  'ftp://127.0.0.1/',
  'gopher://127.0.0.1:PORT/',
  'data:text/plain,hello',
  'javascript:1',
  'dict://127.0.0.1:PORT/',
  'ws://127.0.0.1:PORT/',
  'unix:/var/run/docker.sock',
  'blob:http://127.0.0.1:PORT/',
  '//127.0.0.1:PORT/',
  'http://',
  'http://256.256.256.256/',
  'http://127.0.0.1:99999/',
  'http://[::1/',
  'http://[fe80::1%25eth0]:PORT/',
  'http://exa mple.com/',
  '',
  'about:blank',
] as const

test(`each of ${hostile.length} spellings of a forbidden address is refused and reaches nobody`, async () => {
  const server = await serve((_, response) => response.end('you should not see this'))
  const outbound = client({
    allow: [],
    resolve: answersTo({
      localhost: ['127.0.0.1', '::1'],
      'localhost.': ['127.0.0.1'],
      'inside.example': ['10.0.0.1'],
      'mixed.example': ['93.184.215.14', '127.0.0.1'],
      'mapped.example': ['::ffff:127.0.0.1'],
      'nat64.example': ['64:ff9b::7f00:1'],
      'public.example': ['93.184.215.14'],
    }),
  })
  const codes = await Promise.all(
    hostile.map(async (url) => [url, await problemOf(outbound, { url: url.replace('PORT', `${server.port}`) })] as const),
  )
  const wrong = codes.filter(([, code]) => code !== 'outbound.refused_address' && code !== 'outbound.bad_url')
  expect(wrong).toEqual([])
  expect(codes.filter(([, code]) => code === 'outbound.refused_address').length).toBeGreaterThan(60)
  expect(server.seen).toEqual([])
})

test('a problem names neither the inside address of a host nor the path that was asked for', async () => {
  const outbound = client({ allow: [], resolve: answersTo({ 'inside.example': ['10.1.2.3'] }) })
  const error = await outbound
    .request({ method: 'GET', url: 'http://inside.example/bot-token?key=secret' })
    .catch((problem: unknown) => problem)
  expect(error).toBeInstanceOf(Problem)
  expect(JSON.stringify([(error as Problem).message, (error as Problem).details])).not.toMatch(/10\.1\.2\.3|token|secret/)
})

test('a name that resolves to another address at its second question is refused, and the socket goes where the first answer was checked', async () => {
  const outside = await serve((_, response) => response.end('outside'), '127.0.0.1')
  const inside = createServer((_, response) => response.end('inside'))
  await new Promise<void>((resolve) => inside.listen(outside.port, '127.0.0.2', resolve))
  cleanups.push(() => new Promise((resolve) => inside.close(resolve)))
  let questions = 0
  const rebinding: Resolve = async () => [{ address: questions++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }]
  const url = `http://rebinding.example:${outside.port}/`

  const first = client({ allow: ['127.0.0.1'], resolve: rebinding })
  expect((await first.request({ method: 'GET', url })).body.toString()).toBe('outside')
  expect(questions).toBe(1)

  // A new client has no open connection to reuse, so it has to ask again.
  const second = client({ allow: ['127.0.0.1'], resolve: rebinding })
  expect(await problemOf(second, { url })).toBe('outbound.refused_address')
  expect(questions).toBe(2)
})

test('one forbidden answer among several refuses the name', async () => {
  const server = await serve((_, response) => response.end())
  const outbound = client({ resolve: answersTo({ 'mixed.example': ['127.0.0.1', '127.0.0.2'] }) })
  expect(await problemOf(outbound, { url: `http://mixed.example:${server.port}/` })).toBe('outbound.refused_address')
  expect(server.seen).toEqual([])
})

test('the allow-list lets a named host through on its port, and only there', async () => {
  const one = await serve((_, response) => response.end('one'))
  const two = await serve((_, response) => response.end('two'))
  const outbound = client({ allow: [`receiver.example:${one.port}`], resolve: answersTo({ 'receiver.example': ['127.0.0.1'] }) })
  expect((await outbound.request({ method: 'GET', url: `http://receiver.example:${one.port}/` })).body.toString()).toBe('one')
  expect(await problemOf(outbound, { url: `http://receiver.example:${two.port}/` })).toBe('outbound.refused_address')
  expect(await problemOf(outbound, { url: `http://127.0.0.1:${one.port}/` })).toBe('outbound.refused_address')
  expect(two.seen).toEqual([])
})

test.each(['http://127.0.0.2:PORT/', 'http://[::1]:PORT/', 'http://169.254.169.254/', 'http://inside.example/'])(
  'a redirect to %s is refused',
  async (target) => {
    const server = await serve((_, response) => response.writeHead(302, { location: target.replace('PORT', `${server.port}`) }).end())
    const outbound = client({ resolve: answersTo({ 'inside.example': ['10.0.0.1'] }) })
    expect(await problemOf(outbound, { url: server.origin })).toBe('outbound.refused_address')
    expect(server.seen).toEqual(['GET /'])
  },
)

test.each(['file:///etc/passwd', 'http://user:password@127.0.0.1/', 'javascript:alert(1)', 'http://['])(
  'a redirect to %s is refused',
  async (location) => {
    const server = await serve((_, response) => response.writeHead(307, { location }).end())
    expect(await problemOf(client(), { url: server.origin })).toBe('outbound.bad_url')
  },
)

test('redirects are followed within their limit; with a limit of 0 the redirect is the answer', async () => {
  const server = await serve((request, response) => {
    const n = Number(request.url?.slice(1))
    if (n === 0) response.end('arrived')
    else response.writeHead(302, { location: `/${n - 1}` }).end()
  })
  const outbound = client()
  const get = (path: string, max_redirects: number) => outbound.request({ method: 'GET', url: server.origin + path, max_redirects })
  expect(await get('/3', 3)).toMatchObject({ status: 200, url: `${server.origin}/0` })
  expect(await problemOf(outbound, { url: `${server.origin}/4`, max_redirects: 3 })).toBe('outbound.too_many_redirects')
  expect(await get('/4', 0)).toMatchObject({ status: 302, headers: { location: '/3' } })
})

test.each([
  [301, 'POST', 'GET', ''],
  [302, 'POST', 'GET', ''],
  [303, 'PUT', 'GET', ''],
  [301, 'PUT', 'PUT', 'body'],
  [307, 'POST', 'POST', 'body'],
  [308, 'DELETE', 'DELETE', 'body'],
] as const)('a %i after %s goes on as %s with the body %j', async (status, method, expected, body) => {
  const server = await serve((request, response) => {
    if (request.url === '/') return void response.writeHead(status, { location: '/next' }).end()
    let received = ''
    request
      .on('data', (chunk) => (received += chunk))
      .on('end', () => {
        response.end(JSON.stringify({ method: request.method, body: received, type: request.headers['content-type'] ?? null }))
      })
  })
  const answer = await client().request({ method, url: server.origin, body: 'body', headers: { 'content-type': 'text/plain' } })
  expect(JSON.parse(answer.body.toString())).toEqual({ method: expected, body, type: body === '' ? null : 'text/plain' })
})

test('a redirect keeps credentials on its own origin and gives none of them to another', async () => {
  const headers: Record<string, Record<string, unknown>> = {}
  const other = await serve((request, response) => {
    headers['other'] = request.headers
    response.end()
  })
  const server = await serve((request, response) => {
    headers[request.url ?? ''] = request.headers
    response.writeHead(307, { location: request.url === '/' ? '/same' : other.origin }).end()
  })
  await client().request({
    method: 'POST',
    url: `${server.origin}/`,
    headers: {
      authorization: 'Bearer secret',
      cookie: 'a=secret',
      'x-api-key': 'secret',
      'x-custom-token': 'secret',
      'content-type': 'text/plain',
    },
    body: 'b',
  })
  expect(headers['/same']).toMatchObject({ authorization: 'Bearer secret', cookie: 'a=secret', 'x-custom-token': 'secret' })
  expect(JSON.stringify(headers['other'])).not.toContain('secret')
  expect(headers['other']).toMatchObject({ 'content-type': 'text/plain', 'user-agent': 'Millrace' })
})

test.each(['Host', 'Connection', 'Content-Length', 'Transfer-Encoding', 'Proxy-Authorization', 'Upgrade', 'Expect', 'bad name', ''])(
  'the header %j cannot be set',
  async (name) => expect(await problemOf(client(), { url: 'http://127.0.0.1:1/', headers: { [name]: 'x' } })).toBe('outbound.bad_request'),
)

test.each(['a\r\nx-injected: 1', 'a\nb', 'a\0b', 'snow ☃'])('the header value %j cannot be sent', async (value) =>
  expect(await problemOf(client(), { url: 'http://127.0.0.1:1/', headers: { 'x-custom': value } })).toBe('outbound.bad_request'),
)

test.each(['CONNECT', 'TRACE', 'GET /\r\n', ''])('the method %j cannot be used', async (method) =>
  expect(await problemOf(client(), { url: 'http://127.0.0.1:1/', method })).toBe('outbound.bad_request'),
)

test.each([
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['deflate', deflateSync],
  ['deflate', deflateRawSync],
  ['br', brotliCompressSync],
  ['gzip, br', (text: string) => brotliCompressSync(gzipSync(text))],
] as const)('an answer in %s is unpacked', async (encoding, compress) => {
  const server = await serve((_, response) => response.writeHead(200, { 'content-encoding': encoding }).end(compress('hello '.repeat(50))))
  const answer = await client().request({ method: 'GET', url: server.origin })
  expect(answer.body.toString()).toBe('hello '.repeat(50))
  expect(answer.headers).not.toHaveProperty('content-encoding')
})

test.each([
  ['gzip', () => gzipSync(Buffer.alloc(50_000_000))],
  ['br', () => brotliCompressSync(Buffer.alloc(50_000_000))],
  ['gzip, gzip', () => gzipSync(gzipSync(Buffer.alloc(50_000_000)))],
] as const)('a %s bomb of 50 MB is refused at the limit', async (encoding, compress) => {
  const bomb = compress()
  expect(bomb.length).toBeLessThan(100_000)
  const server = await serve((_, response) => response.writeHead(200, { 'content-encoding': encoding }).end(bomb))
  expect(await problemOf(client(), { url: server.origin, max_bytes: 100_000 })).toBe('outbound.too_large')
})

test.each([
  ['gzip', 'not compressed at all'],
  ['compress', 'x'],
  ['gzip, gzip, gzip', 'x'],
  ['__proto__', 'x'],
])('an answer that claims to be %s and is not is a bad response', async (encoding, body) => {
  const server = await serve((_, response) => response.writeHead(200, { 'content-encoding': encoding }).end(body))
  expect(await problemOf(client(), { url: server.origin })).toBe('outbound.bad_response')
})

test('an answer over the limit is given up, whether it says its length or not', async () => {
  const server = await serve((request, response) => {
    if (request.url === '/said') response.writeHead(200, { 'content-length': '200000' })
    response.write(Buffer.alloc(100_000))
    response.end(Buffer.alloc(100_000))
  })
  const outbound = client()
  expect(await problemOf(outbound, { url: `${server.origin}/said`, max_bytes: 150_000 })).toBe('outbound.too_large')
  expect(await problemOf(outbound, { url: `${server.origin}/unsaid`, max_bytes: 150_000 })).toBe('outbound.too_large')
  expect((await outbound.request({ method: 'GET', url: `${server.origin}/unsaid`, max_bytes: 200_000 })).body.length).toBe(200_000)
})

test('huge headers are refused', async () => {
  const server = await serve((_, response) => response.writeHead(200, { 'x-huge': 'x'.repeat(40_000) }).end())
  expect(await problemOf(client(), { url: server.origin })).toBe('outbound.too_large')
})

test.each([
  ['never answers', () => undefined],
  ['stops in the middle of its body', (_request, response) => void response.writeHead(200, { 'content-length': '10' }).write('12345')],
  [
    'drips one byte at a time',
    (_request, response) => {
      const timer = setInterval(() => response.write('.'), 20)
      response.on('close', () => clearInterval(timer))
    },
  ],
  [
    'redirects to itself for ever, slowly',
    (_request, response) => void setTimeout(() => response.writeHead(302, { location: '/' }).end(), 60),
  ],
] satisfies [string, RequestListener][])('a server that %s meets the deadline', async (_, listener) => {
  const server = await serve(listener)
  const started = performance.now()
  expect(await problemOf(client(), { url: server.origin, timeout_ms: 200, max_redirects: 20 })).toBe('outbound.timeout')
  expect(performance.now() - started).toBeLessThan(2_000)
})

test('a resolver that never answers meets the deadline', async () => {
  const outbound = client({ resolve: () => new Promise(() => undefined) })
  expect(await problemOf(outbound, { url: 'http://slow.example/', timeout_ms: 100 })).toBe('outbound.timeout')
})

test('the caller can give a request up, before and while it runs', async () => {
  const controller = new AbortController()
  const server = await serve(() => controller.abort())
  expect(await problemOf(client(), { url: server.origin, signal: controller.signal })).toBe('outbound.aborted')
  expect(await problemOf(client(), { url: server.origin, signal: controller.signal })).toBe('outbound.aborted')
  expect(server.seen).toHaveLength(1)
})

test('a closed port, an unknown name and a broken connection are told apart from a refusal', async () => {
  const closed = createServer()
  const port = await listening(closed, '127.0.0.1')
  await new Promise((resolve) => closed.close(resolve))
  const outbound = client({
    resolve: () => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' })),
  })
  expect(await problemOf(outbound, { url: `http://127.0.0.1:${port}/` })).toBe('outbound.connect_failed')
  expect(await problemOf(outbound, { url: 'http://unknown.example/' })).toBe('outbound.connect_failed')
  expect(await problemOf(client({ resolve: answersTo({}) }), { url: 'http://empty.example/' })).toBe('outbound.connect_failed')

  const server = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '10' })
    response.write('12345', () => response.destroy())
  })
  expect(await problemOf(outbound, { url: server.origin })).toBe('outbound.connection_lost')
})

test('a server that speaks no HTTP is a bad response, and one that speaks no TLS a failed connection', async () => {
  // What a socket of the client does after its request failed is not the matter here, so its errors are nobody's.
  const server = createSocketServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH_9.9\r\n', () => socket.destroy()))
  const port = await listening(server, '127.0.0.1')
  cleanups.push(() => new Promise((resolve) => server.close(resolve)))
  expect(await problemOf(client(), { url: `http://127.0.0.1:${port}/` })).toBe('outbound.bad_response')
  expect(await problemOf(client(), { url: `https://127.0.0.1:${port}/` })).toBe('outbound.connect_failed')
})

test('at most 32 connections go to one origin, and all requests are answered', async () => {
  let open = 0
  let most = 0
  const server = createServer((_, response) => setTimeout(() => response.end('ok'), 5))
  server.on('connection', (socket) => {
    most = Math.max(most, ++open)
    socket.on('close', () => open--)
  })
  const port = await listening(server, '127.0.0.1')
  cleanups.push(() => new Promise((resolve) => server.close(resolve)))
  const outbound = client()
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => outbound.request({ method: 'GET', url: `http://127.0.0.1:${port}/` })),
  )
  expect(answers.every((answer) => answer.status === 200)).toBe(true)
  expect(most).toBeLessThanOrEqual(32)
  expect(most).toBeGreaterThan(1)
})

test('closing gives up what runs and leaves no connection behind', async () => {
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
  const server = createServer(() => reach())
  const port = await listening(server, '127.0.0.1')
  const outbound = client()
  const outcome = problemOf(outbound, { url: `http://127.0.0.1:${port}/` })
  await reached
  await outbound.close()
  expect(await outcome).toBe('outbound.aborted')
  // `close` of a server waits for its last connection: it resolves only when the client left none.
  await new Promise((resolve) => server.close(resolve))
})
