import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, afterEach, expect, test } from 'vitest'
import type { SMTPServerOptions } from 'smtp-server'
import { createApp } from '../../app.ts'
import { modules } from '../../modules.ts'
import { roles } from '../../roles.ts'
import { type TestDatabase, testDatabase } from '../../platform/testing/test-database.ts'
import { testApp, type TestApp } from '../../test-app.ts'
import { send } from './mail.ts'
import { certificate, openPostOffice, type PostOffice, refuse } from './post-office.testing.ts'

const trusted = getCACertificates('default')
const trust = (): void => setDefaultCACertificates([...trusted, certificate.cert])
let office: PostOffice | null = null
let mill: TestApp | null = null
afterEach(async () => {
  setDefaultCACertificates(trusted)
  await close()
})
const close = async (): Promise<void> => {
  await mill?.close()
  await office?.close()
  mill = null
  office = null
}
const directory = await mkdtemp(join(tmpdir(), 'millrace-smtp-'))
afterAll(() => rm(directory, { recursive: true, force: true }))

const password = 'p@ss:wörd/canary-77aa'
const withAuth: SMTPServerOptions = {
  ...certificate,
  authMethods: ['PLAIN', 'LOGIN'],
  onAuth: ({ username, password: given }, _session, callback) => {
    if (username === 'ada@example.org' && given === password) callback(null, { user: username })
    else callback(Object.assign(new Error('Wrong password'), { responseCode: 535 }))
  },
}
const credentials = `ada%40example.org:${encodeURIComponent(password)}@`

/** What became of a mail that was handed to this server by this address. */
const outcome = async (options: SMTPServerOptions, urlOf: (port: number) => string) => {
  const { port, taken, asked } = (office = await openPostOffice(options))
  const { app, database } = (mill = await testApp({
    env: { SMTP_URL: urlOf(port), SMTP_TIMEOUT_MS: '2000', MAIL_FROM: 'post@mill.example' },
  }))
  const letter = { to: 'ben@example.org', subject: 'Flour', text: 'A sack of it.', kind: 'test.letter', workspace_id: null }
  const { id } = await app.asSystem('a test sends').tx((tx) => send(tx, letter))
  const read = async () => (await database.owner`select status, error, attempts from mails where id = ${id}`)[0]
  await expect.poll(async () => (await read())?.['attempts'], { timeout: 10_000, interval: 25 }).toBe(1)
  const { status, error } = (await read()) as { status: string; error: string | null }
  expect(error ?? '').not.toContain('canary')
  return { status, error, taken: taken.map(({ secure, user }) => ({ secure, user: user ?? null })), asked: asked.length }
}

test('TLS from the start, with a certificate that is trusted, and a password', async () => {
  trust()
  const result = await outcome({ ...withAuth, secure: true, disabledCommands: [] }, (port) => `smtps://${credentials}localhost:${port}`)
  expect(result).toMatchObject({ status: 'sent', taken: [{ secure: true, user: 'ada@example.org' }] })
})

test('STARTTLS, with a certificate that is trusted, and a password', async () => {
  trust()
  const result = await outcome({ ...withAuth, disabledCommands: [] }, (port) => `smtp://${credentials}localhost:${port}?tls=required`)
  expect(result).toMatchObject({ status: 'sent', taken: [{ secure: true, user: 'ada@example.org' }] })
})

test('a certificate that nobody vouches for is not taken, by either way', async () => {
  const result = await outcome({ ...withAuth, secure: true, disabledCommands: [] }, (port) => `smtps://${credentials}localhost:${port}`)
  expect(result).toMatchObject({ status: 'queued', error: expect.stringMatching(/certificate/i), taken: [], asked: 0 })
  await close()
  const other = await outcome({ ...withAuth, disabledCommands: [] }, (port) => `smtp://${credentials}localhost:${port}?tls=required`)
  expect(other).toMatchObject({ status: 'queued', error: expect.stringMatching(/certificate/i), taken: [], asked: 0 })
})

test('a server without STARTTLS is told neither password nor recipient where TLS is required', async () => {
  const seen: string[] = []
  const options: SMTPServerOptions = {
    ...withAuth,
    disabledCommands: ['STARTTLS'],
    onAuth: ({ username }, _, callback) => (seen.push(String(username)), callback(null, { user: 'x' })),
  }
  const result = await outcome(options, (port) => `smtp://${credentials}localhost:${port}?tls=required`)
  expect(result).toMatchObject({ status: 'queued', error: expect.stringContaining('STARTTLS'), taken: [], asked: 0 })
  expect(seen).toEqual([])
})

test('a password that is refused is the operator’s to mend: the mail waits', async () => {
  trust()
  const result = await outcome(
    { ...withAuth, secure: true, disabledCommands: [] },
    (port) => `smtps://ada%40example.org:canary-wrong@localhost:${port}`,
  )
  expect(result).toMatchObject({ status: 'queued', error: expect.stringContaining('535'), taken: [], asked: 0 })
})

test('a password is never kept back silently: a server that asks for none gets no mail', async () => {
  const result = await outcome({ disabledCommands: ['STARTTLS', 'AUTH'] }, (port) => `smtp://${credentials}127.0.0.1:${port}`)
  expect(result).toMatchObject({ status: 'queued', taken: [], asked: 0 })
})

/** A server that logs everything. */
const composed = (database: TestDatabase, env: { readonly [name: string]: string }, log: string[] = []) =>
  createApp({
    ...{ modules, roles, connection: database.connection },
    log_to: { write: (line: string) => void log.push(line) },
    env: {
      ...{ LOG_LEVEL: 'trace', PORT: '0', MILLRACE_DATA_DIR: directory },
      MILLRACE_SECRET_KEY: Buffer.alloc(32, 'test').toString('base64'),
      ...env,
    },
  })

test('the log tells of a mail that was not taken, and nothing of what stands in it or of the password', async () => {
  const { port, behaviour } = (office = await openPostOffice({ ...withAuth, disabledCommands: ['STARTTLS'] }))
  behaviour.onRecipient = () => Promise.reject(refuse(451, 'Too busy'))
  const database = await testDatabase()
  const log: string[] = []
  const composition = composed(database, { SMTP_URL: `smtp://${credentials}127.0.0.1:${port}` }, log)
  try {
    const app = await composition.start()
    const letter = {
      to: 'ben@example.org',
      subject: 'Flour',
      text: 'canary-text',
      html: '<p>canary-html</p>',
      kind: 'test.letter',
      workspace_id: null,
    }
    const { id } = await app.asSystem('a test sends').tx((tx) => send(tx, letter))
    await expect.poll(() => log.filter((line) => line.includes(id) && line.includes('451 Too busy')), { timeout: 10_000 }).not.toEqual([])
  } finally {
    await composition.stop()
    await database.close()
  }
  expect(log.join('')).not.toContain('canary')
})

test.each([
  [{ SMTP_URL: 'smtp://mail.example.com?pool=1' }, 'SMTP_URL has a parameter pool'],
  [{ SMTP_URL: 'https://mail.example.com' }, 'SMTP_URL'],
  [{ MAIL_FROM: 'Acme' }, 'MAIL_FROM is not an address'],
  [{ MAIL_FROM: 'Acme <a@example.com>\r\nBcc: b@example.com' }, 'MAIL_FROM is not an address'],
])('%j stops the start with a sentence', async (env, sentence) => {
  const database = await testDatabase()
  const start = async (): Promise<void> => {
    const composition = composed(database, env)
    try {
      await composition.start()
    } finally {
      await composition.stop()
    }
  }
  await expect(start()).rejects.toThrow(sentence)
  await database.close()
})
