import { connect } from 'node:net'
import { request } from 'node:http'
import { text as textOf } from 'node:stream/consumers'
import fc from 'fast-check'
import { Type } from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../testing/test-database.ts'
import { type TestServer, testServer } from '../testing/test-server.ts'
import { rawRoute, route } from './route.ts'

const Note = Type.Object({ title: Type.String(), data: Type.Optional(Type.Unknown()) })

const routes = [
  route({
    method: 'POST',
    path: '/notes',
    summary: 'New',
    allow: 'public',
    body: Note,
    replies: { 201: Type.Unknown() },
    handler: (_ctx, { body }) => body,
  }),
  route({
    method: 'GET',
    path: '/notes/{id}',
    summary: 'One',
    allow: 'public',
    params: Type.Object({ id: Type.String() }),
    replies: { 200: Type.Unknown() },
    handler: (_ctx, { params }) => params,
  }),
  route({ method: 'POST', path: '/nothing', summary: 'No body', allow: 'public', replies: { 204: Type.Null() }, handler: () => null }),
  rawRoute({
    methods: ['POST', 'PUT'],
    path: '/raw',
    summary: 'Raw',
    replies: {},
    body_limit_bytes: 10_000,
    handle: (_app, { body }, out) => out.send(200, {}, String(body.length)),
  }),
]

let database: TestDatabase
let mill: TestServer

beforeAll(async () => {
  database = await testDatabase()
  mill = await testServer({ database, routes })
})

afterAll(async () => {
  await mill.close()
  await database.close()
})

interface Answer {
  readonly status: number
  readonly head: string
  readonly body: { readonly [member: string]: unknown }
}

/** Sends bytes as they are and reads until the server has said everything. */
const bytes = (input: string | Buffer, half_close = true): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const socket = connect(mill.port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      if (half_close) socket.end()
    })
    socket.on('error', reject)
    socket.on('close', () => {
      const [head = '', body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n')
      resolve({ status: Number(head.slice(9, 12)), head, body: body.startsWith('{') ? (JSON.parse(body) as Answer['body']) : {} })
    })
    socket.write(input)
  })

const post = async (body: string | Buffer, headers: { [name: string]: string } = {}): Promise<Answer & { readonly text: string }> => {
  const response = await fetch(`${mill.url}/api/v1/notes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: body as string,
  })
  const text = await response.text()
  return { status: response.status, head: '', text, body: JSON.parse(text) as Answer['body'] }
}

const alive = async (): Promise<void> => {
  expect((await post('{"title":"still here"}')).status).toBe(201)
}

test('what the HTTP parser refuses is answered with a problem document as well', async () => {
  const cases: readonly (readonly [string, number, string])[] = [
    ['BLAH\r\n\r\n', 400, 'http.malformed_request'],
    ['GET / HTTP/9.9\r\nhost: a\r\n\r\n', 400, 'http.malformed_request'],
    ['GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n', 400, 'http.malformed_request'],
    [`GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431, 'http.headers_too_large'],
    [`GET /${'y'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`, 431, 'http.headers_too_large'],
    ['POST /raw HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', 400, 'http.malformed_request'],
    ['POST /raw HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\n', 400, 'http.malformed_request'],
    ['POST /raw HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n', 400, 'http.malformed_request'],
    ['\u0016\u0003\u0001\u0000\u0000TLS', 400, 'http.malformed_request'],
  ]
  for (const [input, status, code] of cases) {
    const answer = await bytes(input)
    expect([input.slice(0, 60), answer.status, answer.body['code']]).toEqual([input.slice(0, 60), status, code])
    expect(answer.head).toContain('application/problem+json; charset=utf-8')
    expect(answer.body).toMatchObject({ success: false, status_code: status, request_id: expect.any(String) })
  }
  await alive()
})

test('a request without one proper Host is refused', async () => {
  const hosts = [
    '',
    'host:\r\n',
    'host: a b\r\n',
    'host: a/b\r\n',
    'host: user@a\r\n',
    'host: a\r\nHOST: b\r\n',
    `host: ${'a'.repeat(300)}\r\n`,
  ]
  for (const host of hosts) {
    const answer = await bytes(`GET /api/v1/notes/1 HTTP/1.1\r\n${host}connection: close\r\n\r\n`)
    expect([host, answer.status, answer.body['code']]).toEqual([host, 400, 'http.malformed_request'])
  }
  for (const host of ['a', 'a.example:8080', '127.0.0.1', '[::1]:3000', 'my_host', 'a.']) {
    expect([host, (await bytes(`GET /api/v1/notes/1 HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)).status]).toEqual([host, 200])
  }
})

test('a path that is not percent-encoding is refused', async () => {
  for (const path of ['/api/v1/notes/%', '/api/v1/notes/%zz', '/api/v1/notes/%ff', '/api/v1/notes/%c0%80']) {
    const answer = await bytes(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`)
    expect([path, answer.status, answer.body['code']]).toEqual([path, 400, 'http.malformed_request'])
  }
  expect((await bytes('GET /api/v1/notes/a%00b HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')).status).toBe(422)
})

test('a body that is not JSON is refused, without repeating it', async () => {
  for (const body of ['{"title":"s3cret', '{', 'undefined', '{"a":1}}', '\u0000', "{'title':1}", Buffer.from([0x22, 0xff, 0x22])]) {
    const { status, body: problem, text } = await post(body)
    expect([String(body), status, problem['code']]).toEqual([String(body), 400, 'http.malformed_json'])
    expect(text).not.toContain('s3cret')
  }
  expect((await post('"text"')).status).toBe(422)
  expect((await post('null')).status).toBe(422)
})

test('only JSON is taken for JSON', async () => {
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/json; charset=latin1',
    'nonsense',
  ]) {
    expect([type, (await post('{"title":"x"}', { 'content-type': type })).status]).toEqual([type, 415])
  }
  for (const type of ['application/json; charset=UTF-8', 'APPLICATION/JSON', 'application/vnd.mill+json']) {
    expect([type, (await post('{"title":"x"}', { 'content-type': type })).status]).toEqual([type, 201])
  }
  expect((await post('{"title":"x"}', { 'content-encoding': 'gzip' })).status).toBe(415)
})

test('a route without a body takes an empty one at most', async () => {
  const send = async (body: string) =>
    (await fetch(`${mill.url}/api/v1/nothing`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })).status
  expect(await Promise.all(['', '{}', 'null', '{"a":1}', '[]', '{'].map(send))).toEqual([204, 204, 204, 422, 422, 400])
})

test('JSON 10,000 levels deep is refused at once', async () => {
  for (const depth of [65, 10_000, 400_000]) {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const began = performance.now()
      const { status, body } = await post(`{"title":"x","data":${open.repeat(depth)}1${close.repeat(depth)}}`)
      expect([depth, status]).toEqual([depth, open.length * depth > 1_000_000 ? 413 : 400])
      if (status === 400) expect(body['code']).toBe('http.malformed_json')
      expect(performance.now() - began).toBeLessThan(2_000)
    }
  }
  expect((await post(`{"title":"x","data":${'['.repeat(62)}1${']'.repeat(62)}}`)).status).toBe(201)
  await alive()
})

test('text that PostgreSQL cannot store is refused where it stands', async () => {
  const cases: readonly (readonly [string, string])[] = [
    ['{"title":"a\\u0000b"}', 'title'],
    ['{"title":"\\ud800"}', 'title'],
    ['{"title":"\\udc00\\ud800"}', 'title'],
    ['{"title":"x","data":{"list":["ok","\\u0000"]}}', 'data.list.1'],
    ['{"title":"x","data":{"a\\u0000":1}}', 'data'],
  ]
  for (const [body, path] of cases) {
    const answer = await post(body)
    expect([answer.status, (answer.body['errors'] as { path: string }[])[0]?.path]).toEqual([422, path])
  }
  expect((await post('{"title":"\\ud83c\\udf0d é \\t"}')).body).toEqual({ title: '🌍 é \t' })
})

test('names that reach into prototypes are refused', async () => {
  for (const body of [
    '{"title":"x","__proto__":{"admin":true}}',
    '{"title":"x","data":{"a":{"__proto__":1}}}',
    '{"title":"x","data":{"constructor":{"prototype":{"admin":true}}}}',
  ]) {
    expect((await post(body)).status).toBe(422)
  }
  expect((await post('{"title":"x","data":{"constructor":"Smith & Sons"}}')).status).toBe(201)
  expect(Reflect.get({}, 'admin')).toBeUndefined()
})

test('however much is wrong with the input, the answer is short and quick', async () => {
  const names = Array.from({ length: 60_000 }, (_, index) => `"field${index}":1`).join(',')
  for (const body of [
    `{${names}}`,
    `{"title":"x","${'y'.repeat(900_000)}":1}`,
    `{"title":[${'1,'.repeat(400_000)}1]}`,
    `[${'{},'.repeat(300_000)}{}]`,
  ]) {
    const began = performance.now()
    const { status, text } = await post(body)
    expect([status, text.length < 8_000]).toEqual([422, true])
    expect(performance.now() - began).toBeLessThan(2_000)
  }
})

test('a whole address in the request line is the path in it', async () => {
  const answer = await bytes('GET http://mill.example/api/v1/nothing/here?x=1 HTTP/1.1\r\nhost: mill.example\r\nconnection: close\r\n\r\n')
  expect([answer.status, answer.body['path']]).toEqual([404, '/api/v1/nothing/here'])
  expect((await bytes('GET http://mill.example/api/v1/notes/1 HTTP/1.1\r\nhost: mill.example\r\nconnection: close\r\n\r\n')).status).toBe(
    200,
  )
  // The server as a whole (RFC 9110, 9.3.7): it is there.
  expect((await bytes('OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')).status).toBe(204)
})

const megabytes = 100
const big = Buffer.alloc(1_000_000, 0x20)

/** Sends a big body the way a client does that only looks at the reply when there is one; answers its status and what was sent. */
const sendBig = (
  path: string,
  headers: { [name: string]: string | number },
): Promise<{ readonly status: number; readonly sent_mb: number; readonly text: string }> =>
  new Promise((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      port: mill.port,
      path,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
    })
    let sent_mb = 0
    let answered = false
    const pump = (): void => {
      while (!answered && sent_mb < megabytes) {
        sent_mb += 1
        if (!outgoing.write(big)) return void outgoing.once('drain', pump)
      }
    }
    outgoing.on('response', (response) => {
      answered = true
      void textOf(response).then((text) => {
        outgoing.destroy()
        resolve({ status: response.statusCode ?? 0, sent_mb, text })
      }, reject)
    })
    outgoing.on('error', (error) => answered || reject(error))
    if ('expect' in headers) outgoing.on('continue', pump).flushHeaders()
    else pump()
  })

test('a body of 100 MB is refused early and not kept in memory', async () => {
  const length = megabytes * big.length
  const before = process.memoryUsage().rss
  for (const path of ['/api/v1/notes', '/raw']) {
    for (const headers of [{ 'content-length': length }, { 'transfer-encoding': 'chunked' }]) {
      const { status, sent_mb, text } = await sendBig(path, headers)
      expect([status, JSON.parse(text)]).toMatchObject([413, { code: 'http.body_too_large' }])
      expect(sent_mb).toBeLessThan(megabytes)
    }
    // A client that asks first is not even told to begin.
    expect(await sendBig(path, { 'content-length': length, expect: '100-continue' })).toMatchObject({ status: 413, sent_mb: 0 })
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(80_000_000)
  await alive()
})

test('a client that asks whether to go on is told so when the body is welcome', async () => {
  const body = '{"title":"x"}'
  const answer = await new Promise<string>((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      port: mill.port,
      path: '/api/v1/notes',
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' },
    })
    outgoing.on('continue', () => outgoing.end(body))
    outgoing.on('response', (response) => void textOf(response).then(resolve, reject))
    outgoing.on('error', reject)
    outgoing.flushHeaders()
  })
  expect(JSON.parse(answer)).toEqual({ title: 'x' })
  expect(
    (await bytes('POST /raw HTTP/1.1\r\nhost: a\r\nexpect: 200-maybe\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx')).status,
  ).toBe(417)
})

test('a connection serves on after a refused body, and one that breaks off harms nobody', async () => {
  const oversized = `POST /raw HTTP/1.1\r\nhost: a\r\ncontent-length: 20000\r\n\r\n${'x'.repeat(20_000)}`
  const both = await new Promise<string>((resolve, reject) => {
    const socket = connect(mill.port, '127.0.0.1')
    let got = ''
    socket.on('data', (chunk) => {
      got += chunk.toString()
      if (got.includes('"n2"')) socket.end()
    })
    socket.on('close', () => resolve(got)).on('error', reject)
    socket.write(`${oversized}GET /api/v1/notes/n2 HTTP/1.1\r\nhost: a\r\n\r\n`)
  })
  expect(both.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200'])
  await new Promise<void>((resolve) => {
    const socket = connect(mill.port, '127.0.0.1', () =>
      socket.write('POST /raw HTTP/1.1\r\nhost: a\r\ncontent-length: 500\r\n\r\nabc', () => socket.destroy()),
    )
    socket.on('close', () => resolve())
  })
  await alive()
})

test('no bytes on the socket end the process or give a 5xx', async () => {
  const line = fc.oneof(
    fc.constantFrom(
      'GET / HTTP/1.1',
      'POST /api/v1/notes HTTP/1.1',
      'POST /raw HTTP/1.1',
      'host: a',
      'content-length: 3',
      'content-type: application/json',
      'transfer-encoding: chunked',
      'expect: 100-continue',
      'range: bytes=9-1',
      'if-match: "',
      'cookie: ;;=',
      'traceparent: 00-0-0-0',
      '',
    ),
    fc.string({ unit: 'binary', maxLength: 30 }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), fc.uint8Array({ maxLength: 40 }), async (lines, tail) => {
      const status = await answerTo(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), tail]))
      expect(status === null || status < 500).toBe(true)
    }),
    { numRuns: 300 },
  )
  await alive()
})

/** The first status that comes back; null when the server waits for more and the client gives up. */
const answerTo = (input: Buffer): Promise<number | null> =>
  new Promise((resolve) => {
    const socket = connect(mill.port, '127.0.0.1', () => socket.end(input))
    let got = ''
    socket.on('data', (chunk) => (got += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('close', () =>
      resolve(got === '' ? null : Number(/HTTP\/1\.1 (\d+)(?! Continue)/.exec(got.replace('HTTP/1.1 100 Continue', ''))?.[1] ?? 0)),
    )
  })

test('any JSON at all is answered below 500', async () => {
  await fc.assert(
    fc.asyncProperty(fc.json({ stringUnit: 'binary', maxDepth: 6 }), fc.string({ unit: 'binary', maxLength: 40 }), async (json, extra) => {
      const body = await post(json)
      const nested = await post(`{"title":${JSON.stringify(extra)},"data":${json}}`)
      expect([body.status, nested.status].every((status) => status === 201 || status === 400 || status === 422)).toBe(true)
    }),
    { numRuns: 200 },
  )
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ unit: 'grapheme', maxLength: 60 }), async (id, query) => {
      const path = id.isWellFormed() ? encodeURIComponent(id) : 'x'
      const { status } = await fetch(`${mill.url}/api/v1/notes/${path}?${query}`)
      expect(status).toBeLessThan(500)
    }),
    { numRuns: 200 },
  )
})
