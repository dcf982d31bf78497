import { expect, test } from 'vitest'
import { createLog, type LogInput } from './log.ts'

const logTo = (input: Omit<LogInput, 'destination'>) => {
  const lines: string[] = []
  return { lines, log: createLog({ ...input, destination: { write: (line) => void lines.push(line) } }) }
}

const parsed = (line: string | undefined) => JSON.parse(line ?? '') as { [name: string]: unknown }

test('a line is one JSON object with the time in ISO 8601 and the level as a word', () => {
  const { log, lines } = logTo({ level: 'info' })
  log.info({ port: 3000 }, 'listening')
  log.debug('not logged at this level')
  expect(lines).toHaveLength(1)
  expect(parsed(lines[0])).toEqual({ level: 'info', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), port: 3000, msg: 'listening' })
})

test('credentials do not reach the log, wherever they stand', () => {
  const { log, lines } = logTo({ level: 'info' })
  const secret = 'canary-5f1d'
  const cause = Object.assign(new Error('refused'), { config: { headers: { Authorization: `Bearer ${secret}` } } })
  log.info({
    password: secret,
    new_password: secret,
    headers: { authorization: secret, 'set-cookie': [secret], 'X-API-Key': secret },
    user: { access_token: secret, list: [{ refresh_token: secret }] },
    deep: { a: { b: { c: { d: { e: { secret } } } } } },
    client_secret: secret,
  })
  log.error({ err: Object.assign(new Error('failed', { cause }), { token: secret }) }, 'call failed')
  log.child({ cookie: secret, room: 1 }).child({ token: secret, chair: 2 }).info('from a child')
  expect(lines).toHaveLength(3)
  expect(lines.join('')).not.toContain(secret)
  expect(parsed(lines[2])).toMatchObject({ cookie: '[redacted]', room: 1, token: '[redacted]', chair: 2 })
})

test('fields that only resemble credentials are kept, and the caller keeps its own object', () => {
  const { log, lines } = logTo({ level: 'info' })
  const fields = { token_type: 'bearer', tokens_used: 12, secretary: 'Ann', password: 'x' }
  log.info(fields)
  expect(parsed(lines[0])).toMatchObject({ token_type: 'bearer', tokens_used: 12, secretary: 'Ann', password: '[redacted]' })
  expect(fields.password).toBe('x')
})

test('on a terminal a line is text, with the stack of an error below it', () => {
  const { log, lines } = logTo({ level: 'info', pretty: true })
  log.warn({ attempt: 2, host: 'db' }, 'trying again')
  log.error({ err: new Error('gone') }, 'lost')
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} .*WARN .* trying again .*attempt=2 host=db/)
  expect(lines[1]).toMatch(/lost\nError: gone\n +at /)
})
