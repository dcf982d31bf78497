import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { publish, webhookDefinition } from '../../server/src/modules/workflows/definitions.testing.ts'
import { testApp } from '../../server/src/test-app.ts'
import { bytes, each, operationsOf, pathOf, probing, rowCounts, statusesIn } from './attack.ts'

const mill = await testApp()
afterAll(mill.close)
const ada = await mill.register('ada')
const port = Number(new URL(mill.url).port)

beforeAll(async () => {
  await publish(ada, webhookDefinition('grist', {}, { got: '{{ trigger.body }}' }))
})

const head = (line: string, ...headers: readonly string[]): string => [line, 'host: a', ...headers, '', ''].join('\r\n')

const executions = async (): Promise<number> => (await rowCounts(mill))['executions'] ?? -1

test('100 MB are refused by every route before they are sent, and kept by none', async () => {
  const operations = (await operationsOf(mill)).filter(({ method }) => method !== 'GET' && method !== 'DELETE')
  const rss = process.memoryUsage().rss
  const mine = { workspace: 'ada', rest: 'grist' }
  for (const operation of operations) {
    for (const length of [['content-length: 104857600'], ['transfer-encoding: chunked']]) {
      const said = await flood(
        head(
          `${operation.method} ${pathOf(operation, { ...mine, ...(operation.path.includes('/workspaces/{id}') ? { id: ada.workspace_id } : {}) })} HTTP/1.1`,
          `authorization: Bearer ${ada.access_token}`,
          'content-type: application/json',
          'if-match: *',
          ...length,
        ),
        length[0]?.startsWith('t') === true,
      )
      expect([operation.name, length, statusesIn(said.reply)[0]]).toEqual([operation.name, length, operation.admins_only ? 403 : 413])
      expect([operation.name, said.sent_mb < 20]).toEqual([operation.name, true])
    }
  }
  expect(process.memoryUsage().rss - rss).toBeLessThan(150_000_000)
})

/** Sends up to 100 MB after `request`, until the server says something. */
const flood = (request: string, chunked: boolean): Promise<{ readonly reply: string; readonly sent_mb: number }> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const megabyte = Buffer.alloc(1 << 20, 0x20)
    let reply = ''
    let sent_mb = 0
    const pump = (): void => {
      while (reply === '' && !socket.destroyed && sent_mb < 100) {
        sent_mb += 1
        if (chunked) socket.write('100000\r\n')
        const more = socket.write(megabyte)
        if (chunked) socket.write('\r\n')
        if (!more) return void socket.once('drain', pump)
      }
    }
    socket.on('data', (chunk) => {
      reply += chunk.toString('latin1')
      socket.destroy()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve({ reply, sent_mb }))
    socket.write(request, pump)
  })

test('a request cannot hide another one in its body', async () => {
  const hidden = head('POST /hooks/ada/grist HTTP/1.1', 'content-length: 0')
  const pairs: readonly (readonly string[])[] = [
    ['content-length: 4', 'transfer-encoding: chunked'],
    ['transfer-encoding: chunked', 'content-length: 4'],
    ['transfer-encoding: chunked', 'transfer-encoding: identity'],
    ['transfer-encoding: identity, chunked', 'content-length: 4'],
    ['transfer-encoding: xchunked', 'content-length: 4'],
    ['transfer-encoding:\tchunked', 'content-length: 4'],
    ['transfer-encoding: chunked, identity'],
    ['transfer-encoding : chunked', 'content-length: 4'],
    [' transfer-encoding: chunked', 'content-length: 4'],
    ['x: y\ntransfer-encoding: chunked', 'content-length: 4'],
    ['x: y\rtransfer-encoding: chunked', 'content-length: 4'],
    ['content-length: 4', 'content-length: 5'],
    ['content-length: 4, 5'],
    ['content-length: +4'],
    ['content-length: 0x4'],
    ['content-length: 18446744073709551620'],
  ]
  const before = await executions()
  for (const headers of pairs) {
    // Read as chunked, the body is empty and `hidden` is a request; read by its length, it begins elsewhere.
    const said = await bytes(mill, `${head('PUT /api/v1/users/profile HTTP/1.1', ...headers)}0\r\n\r\n${hidden}`)
    const statuses = statusesIn(said)
    expect([headers, statuses]).toEqual([headers, [400]])
  }
  expect(await executions()).toBe(before)
})

test('chunks that lie are refused, and nothing is made of them', async () => {
  const before = await rowCounts(mill)
  const chunked = head('POST /hooks/ada/grist HTTP/1.1', 'content-type: application/json', 'transfer-encoding: chunked')
  const lies = [
    'zz\r\n{}\r\n0\r\n\r\n',
    '-2\r\n{}\r\n0\r\n\r\n',
    '2\r\n{}x\r\n0\r\n\r\n',
    '2;a=\u0000\r\n{}\r\n0\r\n\r\n',
    'fffffffffffffffffff\r\n{}',
    '2\n{}\n0\n\n',
    `2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
    '0\r\nx y\r\n\r\n',
  ]
  for (const lie of lies) {
    const [status] = statusesIn(await bytes(mill, chunked + lie))
    expect([lie.slice(0, 30), status === 400 || status === 413]).toEqual([lie.slice(0, 30), true])
  }
  expect(await rowCounts(mill)).toEqual(before)
})

test('a client that vanishes amid its body leaves no trace', async () => {
  const before = await rowCounts(mill)
  const bodies = [
    head('POST /hooks/ada/grist HTTP/1.1', 'content-type: application/json', 'content-length: 5000') + '{"half":',
    head('POST /hooks/ada/grist HTTP/1.1', 'content-type: application/json', 'transfer-encoding: chunked') + '2\r\n{}\r\n',
    head(
      'POST /api/v1/workflows HTTP/1.1',
      `authorization: Bearer ${ada.access_token}`,
      'content-type: application/json',
      'content-length: 500',
    ) + '{"name":"x","definition":{"nodes":[],"edges":[]}}',
    'POST /hooks/ada/gr',
    '',
  ]
  for (const body of bodies) {
    for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(body === '' ? ' ' : body, () => socket[leave]()))
        socket.on('error', () => undefined).on('close', () => resolve())
        socket.resume()
      })
    }
  }
  expect((await mill.call('GET', '/healthz')).status).toBe(200)
  expect(await rowCounts(mill)).toEqual(before)
})

test('a client that vanishes before the reply is no loss: what was accepted is done', async () => {
  const before = await executions()
  const call = head('POST /hooks/ada/grist HTTP/1.1', 'content-type: application/json', 'content-length: 2') + '{}'
  await Promise.all(
    Array.from(
      { length: 50 },
      (_, index) =>
        new Promise<void>((resolve) => {
          const socket = connect(port, '127.0.0.1', () =>
            socket.write(call, () => (index % 2 === 0 ? socket.resetAndDestroy() : socket.end())),
          )
          socket.on('error', () => undefined).on('close', () => resolve())
          socket.resume()
        }),
    ),
  )
  // The clients are gone before the server has looked at what they sent.
  await expect.poll(async () => (await executions()) - before, { timeout: 10_000 }).toBeGreaterThanOrEqual(25)
  await expect.poll(() => mill.database.owner`select 1 from executions where finished_at is null`.then((rows) => rows.length)).toBe(0)
  expect((await executions()) - before).toBeLessThanOrEqual(50)
})

test('requests in one packet are answered one by one, in their order', async () => {
  const calls = Array.from({ length: 100 }, (_, index) => {
    const body = JSON.stringify({ n: index })
    const last = index === 99 ? ['connection: close'] : []
    return head('POST /hooks/ada/grist HTTP/1.1', 'content-type: application/json', `content-length: ${body.length}`, ...last) + body
  })
  const said = await bytes(mill, calls.join(''), 2_000)
  expect(statusesIn(said)).toEqual(calls.map(() => 200))
  expect([...said.matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n))).toEqual(calls.map((_, index) => index))
})

test('a half-closed connection gets its reply', async () => {
  const reply = await new Promise<string>((resolve, reject) => {
    let got = ''
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(head('GET /api/v1/health/ping HTTP/1.1')))
    socket
      .on('data', (chunk) => (got += chunk.toString()))
      .on('error', reject)
      .on('end', () => resolve(got))
  })
  expect([statusesIn(reply), reply.includes('pong')]).toEqual([[200], true])
})

test('a connection that is reset at any moment harms nobody', async () => {
  const requests = [
    'CONNECT 127.0.0.1:5432 HTTP/1.1\r\nhost: a\r\n\r\n',
    'BLAH\r\n\r\n',
    head('GET /docs/swagger-ui-bundle.js HTTP/1.1'),
    head('GET /healthz HTTP/1.1', 'connection: upgrade', 'upgrade: websocket'),
    head('POST /hooks/ada/grist HTTP/1.1', 'expect: 100-continue', 'content-length: 2'),
    head('POST /api/v1/auth/login HTTP/1.1', 'content-length: 90000') + 'x'.repeat(90_000),
  ]
  await each(
    Array.from({ length: 300 }, (_, index) => index),
    (index) =>
      new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.write(requests[index % requests.length] as string)
          setTimeout(() => socket.resetAndDestroy(), index % 7)
        })
        socket.on('error', () => undefined).on('close', () => resolve())
      }),
  )
  expect((await mill.call('GET', '/healthz')).status).toBe(200)
})

test('old, odd and upgrading requests are answered', async () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ['HTTP/1.0 without a Host', 'GET /api/v1/health/ping HTTP/1.0\r\n\r\n', 200],
    ['HTTP/1.0 with a body', 'POST /hooks/ada/grist HTTP/1.0\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}', 200],
    ['HTTP/1.1 without a Host', 'GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n', 400],
    ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    [
      'an upgrade to h2c',
      head(
        'GET /api/v1/health/ping HTTP/1.1',
        'connection: upgrade, http2-settings',
        'upgrade: h2c',
        'http2-settings: AAMAAABkAAQCAAAAAAIAAAAA',
      ),
      200,
    ],
    [
      'an upgrade to a WebSocket where there is none',
      head(
        'GET /api/v1/health/ping HTTP/1.1',
        'connection: upgrade',
        'upgrade: websocket',
        'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-version: 13',
      ),
      200,
    ],
    ['CONNECT', 'CONNECT 127.0.0.1:5432 HTTP/1.1\r\nhost: a\r\n\r\n', 400],
    ['TRACE', head('TRACE /healthz HTTP/1.1', 'cookie: secret=1'), 405],
    ['an absolute address of another host', 'GET http://169.254.169.254/latest HTTP/1.1\r\nhost: 169.254.169.254\r\n\r\n', 404],
    [
      'an expectation',
      head('POST /hooks/ada/grist HTTP/1.1', 'expect: 100-continue', 'content-length: 2', 'content-type: application/json') + '{}',
      100,
    ],
    ['an expectation of nonsense', head('POST /hooks/ada/grist HTTP/1.1', 'expect: everything', 'content-length: 2') + '{}', 417],
    ['a TLS hello', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003', 400],
    ['another protocol', 'EHLO mill.example\r\n', 400],
    ['two thousand headers', `GET /healthz HTTP/1.1\r\nhost: a\r\n${'x: y\r\n'.repeat(2_100)}\r\n`, 431],
    ['headers without end', `GET /healthz HTTP/1.1\r\nhost: a\r\n${'x: y\r\n'.repeat(20_000)}`, 431],
    ['folded headers', 'GET /healthz HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n', 400],
    ['a path of 16 KB', head(`GET /${'x'.repeat(17_000)} HTTP/1.1`), 431],
    ['a NUL in a header', 'GET /healthz HTTP/1.1\r\nhost: a\r\nx: a\u0000b\r\n\r\n', 400],
    ['a __proto__ header', head('POST /hooks/ada/grist HTTP/1.1', '__proto__: x', 'constructor: y', 'content-length: 0'), 200],
  ]
  const seen: (readonly [string, number | undefined])[] = []
  for (const [what, request] of cases) {
    const said = await bytes(mill, request)
    seen.push([what, statusesIn(said)[0]])
    expect(said).not.toContain('secret=1')
  }
  expect(seen).toEqual(cases.map(([what, , status]) => [what, status]))
})

test('no address that a client names stands in a reply', async () => {
  for (const path of ['/api/v1/nothing', '/openapi.json', '/api/v1/workflows/definition.schema.json', '/docs/errors', '/health']) {
    const poison = [
      'host: evil.example',
      'x-forwarded-host: evil.example',
      'x-forwarded-proto: evil',
      'forwarded: host=evil.example',
      'origin: https://evil.example',
    ]
    const said = await bytes(mill, [`GET ${path} HTTP/1.1`, ...poison, 'connection: close', '', ''].join('\r\n'))
    expect([path, statusesIn(said).length, said.includes('evil')]).toEqual([path, 1, false])
  }
})

test('who registers from a strange place with a strange client is no trouble', async () => {
  for (const [index, from] of ['<script>', '::1%eth0', '999.1.1.1', 'x'.repeat(2_000), '2001:db8::1'].entries()) {
    const body = { email: `strange${index}@example.org`, password: 'a mill turns on water' }
    const agent = index % 2 === 0 ? `é\u00ff${'y'.repeat(4_000)}` : "'; drop table sessions; --"
    const made = await mill.call('POST', '/api/v1/auth/register', { body, headers: { 'x-forwarded-for': from, 'user-agent': agent } })
    expect([from.slice(0, 20), made.status]).toEqual([from.slice(0, 20), 201])
    const sessions = await mill.as(made.body)('GET', '/api/v1/auth/sessions')
    expect([sessions.status, sessions.body.items.length]).toEqual([200, 1])
  }
})

test('slow, silent and idle connections by the thousand keep nobody waiting', async () => {
  const sockets: Socket[] = []
  const open = (first: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(first === '' ? '' : first, () => resolve()))
      socket.once('error', reject)
      socket.on('data', () => undefined)
      sockets.push(socket)
    })
  const slow = head('POST /hooks/ada/grist HTTP/1.1', 'content-type: application/json', 'content-length: 100')
  const first = Array.from({ length: 2_000 }, (_, index) => ['', 'GET /hea', slow, head('GET /healthz HTTP/1.1')][index % 4] as string)
  await each(first, open, 200)
  try {
    const { p99, probes } = await probing(mill, async () => {
      for (let round = 0; round < 20; round += 1) {
        for (let index = 2; index < sockets.length; index += 4) sockets[index]?.write(' ')
        await pause(20)
      }
      expect((await mill.call('POST', '/hooks/ada/grist', { body: {} })).status).toBe(200)
    })
    expect(probes).toBeGreaterThan(20)
    expect(p99).toBeLessThan(500)
  } finally {
    for (const socket of sockets) socket.destroy()
  }
  expect(await mill.database.owner`select 1 from executions where finished_at is null`).toEqual([])
})
