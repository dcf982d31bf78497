import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, inject, test } from 'vitest'
import { testDatabase } from './platform/testing/test-database.ts'

const main = join(import.meta.dirname, 'main.ts')
const inherited = {
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  // As `npm start` has it; without it most of the time of these tests goes into compiling the same code again.
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(import.meta.dirname, '../../node_modules/.cache/node'),
}

const clean: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const tidy of clean.splice(0).toReversed()) await tidy()
})

const directory = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'millrace-main-'))
  clean.push(() => rmSync(path, { recursive: true, force: true }))
  return path
}

interface Run {
  readonly child: ChildProcess
  readonly output: () => string
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
  /** Resolves with the address once the server says that it is ready. */
  readonly ready: () => Promise<string>
}

interface RunOptions {
  readonly data_dir: string
  readonly args?: readonly string[]
  readonly env?: { readonly [variable: string]: string }
}

const run = ({ data_dir, args = ['start'], env = {} }: RunOptions): Run => {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: data_dir,
    env: { ...inherited, PORT: '0', MILLRACE_DATA_DIR: data_dir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const changed = new EventTarget()
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      changed.dispatchEvent(new Event('output'))
    })
  }
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  clean.push(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await ended
  })
  const ready = async (): Promise<string> => {
    for (;;) {
      const line = output.split('\n').find((text) => text.includes('"msg":"ready"'))
      if (line) return (JSON.parse(line) as { url: string }).url
      const next = await Promise.race([once(changed, 'output'), ended])
      if (!Array.isArray(next)) throw new Error(`the server ended (${next}) before it was ready:\n${output}`)
    }
  }
  return { child, output: () => output, ended, ready }
}

/** A request that has begun and whose body is not complete yet. */
const halfRequest = async (url: string) => {
  const { hostname, port } = new URL(url)
  const body = JSON.stringify({ email: 'ada@example.org', password: 'not this one' })
  const socket = connect({ host: hostname, port: Number(port) })
  clean.push(() => void socket.destroy())
  await once(socket, 'connect')
  socket.write(
    `POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
  )
  // Answered on another connection: by then the server has taken in what was sent before on this one.
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  return {
    socket,
    finish: async (): Promise<string> => {
      socket.write(body.slice(5))
      let reply = ''
      socket.on('data', (chunk: Buffer) => void (reply += chunk.toString()))
      await once(socket, 'close')
      return reply
    },
  }
}

test('a server starts, refuses a second one on its data directory, stops when told, and starts again', async () => {
  const data_dir = directory()
  const first = run({ data_dir })
  const url = await first.ready()
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  expect(first.output()).toContain('/setup?token=')

  const second = run({ data_dir })
  expect(await second.ended).toBe(1)
  expect(second.output()).toContain(`Another server (process ${first.child.pid}) is running on the data directory`)
  expect((await fetch(`${url}/readyz`)).status).toBe(200)

  first.child.kill('SIGTERM')
  expect(await first.ended).toBe(0)
  const again = run({ data_dir })
  expect((await fetch(`${await again.ready()}/readyz`)).status).toBe(200)
  again.child.kill('SIGINT')
  expect(await again.ended).toBe(0)
})

test('killed at any point of its start, the server starts the next time', async () => {
  const data_dir = directory()
  for (const at of [30, 250, 450, 650, 850, 1_050, 1_300, 1_600].map((ms) => ms * (0.8 + Math.random() * 0.4))) {
    const killed = run({ data_dir })
    await Promise.race([pause(at), killed.ended])
    killed.child.kill('SIGKILL')
    expect(await killed.ended, killed.output()).toBe('SIGKILL')
  }
  const last = run({ data_dir })
  expect((await fetch(`${await last.ready()}/readyz`)).status).toBe(200)
  last.child.kill('SIGTERM')
  expect(await last.ended).toBe(0)
})

/** The address of a fresh database on the PostgreSQL of the test run. */
const databaseUrl = async (options: { readonly empty?: true } = {}): Promise<string> => {
  const database = await testDatabase(options)
  clean.push(database.close)
  const { host, user } = inject('cluster')
  return `postgres://${user}@${encodeURIComponent(host)}/${database.connection.database}`
}

test('told to stop, the server lets a request finish that is under way, and ends with 0', async () => {
  const data_dir = directory()
  const server = run({ data_dir, env: { DATABASE_URL: await databaseUrl() } })
  const url = await server.ready()
  const request = await halfRequest(url)
  server.child.kill('SIGTERM')
  // The same signal again at once is the same keystroke, delivered by the terminal and by npm.
  server.child.kill('SIGTERM')
  // As long as there is something to finish, who asks is told that the server is about to stop.
  await expect.poll(async () => (await fetch(`${url}/readyz`)).status).toBe(503)
  expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ status: 'unavailable', detail: 'draining' })
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  expect(server.child.exitCode).toBeNull()
  expect(await request.finish()).toMatch(/^HTTP\/1\.1 401 [^]*connection: close[^]*auth\.invalid_credentials/i)
  expect(await server.ended).toBe(0)
})

test('a second signal ends the server at once, with 1', async () => {
  const data_dir = directory()
  const server = run({ data_dir, env: { DATABASE_URL: await databaseUrl() } })
  await halfRequest(await server.ready())
  server.child.kill('SIGTERM')
  await pause(400)
  expect(server.child.exitCode).toBeNull()
  server.child.kill('SIGTERM')
  expect(await server.ended).toBe(1)
})

test('with DATABASE_URL no PostgreSQL is started, and an empty database is brought up to date', async () => {
  const data_dir = directory()
  const env = { DATABASE_URL: await databaseUrl({ empty: true }) }
  const migrating = run({ data_dir, args: ['migrate'], env })
  expect(await migrating.ended).toBe(0)
  expect(migrating.output()).toMatch(/\d+ migrations applied; the database is up to date\./)
  const server = run({ data_dir, env })
  await server.ready()
  expect(server.output()).not.toContain('migration applied')
  expect(server.output()).not.toContain('postgres_pid')
})

test('a server whose secret key does not fit the database refuses to start, and the key can be changed', async () => {
  const url = await databaseUrl()
  const key = (letter: string): string => Buffer.alloc(32, letter).toString('base64')
  const start = (env: { readonly [variable: string]: string }): Run => run({ data_dir: directory(), env: { DATABASE_URL: url, ...env } })
  const stopped = async (server: Run): Promise<void> => {
    await server.ready()
    server.child.kill('SIGTERM')
    expect(await server.ended).toBe(0)
  }
  await stopped(start({ MILLRACE_SECRET_KEY: key('a') }))

  const wrong = start({ MILLRACE_SECRET_KEY: key('b') })
  expect(await wrong.ended).toBe(1)
  expect(wrong.output()).toContain('The secret key from MILLRACE_SECRET_KEY')
  expect(wrong.output()).toContain('does not fit the database')
  expect(wrong.output()).not.toContain(key('b'))

  const none = start({})
  expect(await none.ended).toBe(1)
  expect(none.output()).toContain('The database holds encrypted secrets, and this server has no key to them.')

  await stopped(start({ MILLRACE_SECRET_KEY: key('b'), MILLRACE_SECRET_KEY_PREVIOUS: key('a') }))
  await stopped(start({ MILLRACE_SECRET_KEY: key('b') }))
  expect(await start({ MILLRACE_SECRET_KEY: key('a') }).ended).toBe(1)
})

test('a database that does not answer is told as such, without the password', async () => {
  const server = run({ data_dir: directory(), env: { DATABASE_URL: 'postgres://ann:hunter2@127.0.0.1:9/mill' } })
  expect(await server.ended).toBe(1)
  expect(server.output()).toContain('The database of DATABASE_URL (127.0.0.1:9) does not answer.')
  expect(server.output()).not.toContain('hunter2')
})

test('a wrong configuration is told completely, and nothing is started or made', async () => {
  const data_dir = directory()
  writeFileSync(join(data_dir, '.env'), 'MILLRACE_DATADIR=x\n')
  const server = run({ data_dir, env: { PORT: 'many', LOG_LEVEL: 'loud', MILLRACE_SECRET_KEY: 'c2hvcnQ=' } })
  expect(await server.ended).toBe(1)
  expect(server.output()).toContain('MILLRACE_DATADIR is not a setting. Is MILLRACE_DATA_DIR meant?')
  expect(server.output()).toContain('PORT must be a whole number from 0 to 65535 (it is "many").')
  expect(server.output()).toContain('LOG_LEVEL must be one of')
  expect(server.output()).toContain('MILLRACE_SECRET_KEY must be 32 random bytes')
  expect(server.output()).not.toContain('c2hvcnQ=')
  expect(server.output()).not.toContain('    at ')
})

test('a port that is in use is told as such', async () => {
  const env = { DATABASE_URL: await databaseUrl() }
  const first = run({ data_dir: directory(), env: { ...env, MILLRACE_SECRET_KEY: Buffer.alloc(32, 'a').toString('base64') } })
  const { port } = new URL(await first.ready())
  const second = run({ data_dir: directory(), env: { ...env, MILLRACE_SECRET_KEY: Buffer.alloc(32, 'a').toString('base64'), PORT: port } })
  expect(await second.ended).toBe(1)
  expect(second.output()).toContain(`Port ${port} on 127.0.0.1 is in use.`)
})

test('the other commands say their piece, and an unknown one ends with 2', async () => {
  const data_dir = directory()
  const say = async (...args: string[]) => {
    const command = run({ data_dir, args, env: { MILLRACE_SECRET_KEY: Buffer.alloc(32, 'a').toString('base64'), LOG_LEVEL: 'warn' } })
    return { code: await command.ended, output: command.output() }
  }
  const [help, version, config, unknown, extra] = await Promise.all([
    say('help'),
    say('--version'),
    say('config'),
    say('serve'),
    say('start', 'now'),
  ])
  expect(help).toMatchObject({ code: 0, output: expect.stringContaining('migrate') })
  expect(version).toMatchObject({ code: 0, output: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  expect(config.code).toBe(0)
  expect(config.output).toMatch(/^LOG_LEVEL=warn +# environment$/m)
  expect(config.output).toMatch(/^MILLRACE_SECRET_KEY=\(set\) +# environment$/m)
  expect(unknown).toMatchObject({ code: 2, output: expect.stringContaining('There is no command serve.') })
  expect(extra.code).toBe(2)
})
