import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { defineSettings } from './config.ts'
import { loadConfig, type Environment } from './load-config.ts'
import { StartError } from './start-error.ts'

const directory = mkdtempSync(join(tmpdir(), 'config-'))
afterAll(() => rmSync(directory, { recursive: true }))

const file = (name: string, content: string): string => {
  writeFileSync(join(directory, name), content)
  return join(directory, name)
}

const settings = defineSettings({
  port: { env: 'PORT', type: 'integer', min: 0, max: 65_535, default: 3000, doc: '' },
  proxy: { env: 'TRUST_PROXY', type: 'flag', default: false, doc: '' },
  hosts: { env: 'MILLRACE_HOSTS', type: 'list', default: [], doc: '' },
  level: { env: 'LOG_LEVEL', type: 'choice', choices: ['info', 'debug'], default: 'info', doc: '' },
  database_url: { env: 'DATABASE_URL', type: 'url', protocols: ['postgres'], default: null, secret: true, doc: '' },
  key: { env: 'MILLRACE_KEY', type: 'base64', bytes: 4, default: null, secret: true, doc: '' },
  name: { env: 'MILLRACE_NAME', type: 'text', default: 'mill', doc: '' },
})

const load = (env: Environment, env_file?: string) =>
  loadConfig({ declared: [{ owner: 'test', settings }], env, ...(env_file === undefined ? {} : { env_file }) })

const messageOf = (env: Environment, env_file?: string): string => {
  try {
    load(env, env_file)
  } catch (error) {
    expect(error).toBeInstanceOf(StartError)
    return (error as Error).message
  }
  throw new Error('The configuration was accepted.')
}

test('settings that are not given, or given empty, have their defaults', () => {
  expect(load({ PORT: '', MILLRACE_NAME: ' ' }).values(settings)).toEqual({
    port: 3000,
    proxy: false,
    hosts: [],
    level: 'info',
    database_url: null,
    key: null,
    name: 'mill',
  })
})

test('each type is read from its text', () => {
  const env = {
    PORT: ' 8080 ',
    TRUST_PROXY: 'yes',
    MILLRACE_HOSTS: 'a.example, 10.0.0.0/8  [::1]:80',
    LOG_LEVEL: 'debug',
    DATABASE_URL: 'postgres://u:p@db/x',
    MILLRACE_KEY: 'AQIDBA==',
    MILLRACE_NAME: 'race',
  }
  expect(load(env).values(settings)).toEqual({
    port: 8080,
    proxy: true,
    hosts: ['a.example', '10.0.0.0/8', '[::1]:80'],
    level: 'debug',
    database_url: 'postgres://u:p@db/x',
    key: Buffer.from([1, 2, 3, 4]),
    name: 'race',
  })
})

test('everything that is wrong is said at once, with what is allowed and without the value of a secret', () => {
  const message = messageOf({
    PORT: '80a',
    TRUST_PROXY: 'perhaps',
    LOG_LEVEL: 'loud',
    DATABASE_URL: 'mysql://root:hunter2@db/x',
    MILLRACE_KEY: 'c2VjcmV0LXZhbHVl',
    MILLRACE_HOST: 'x',
    MILLRACE_ZEBRA_CROSSING: '1',
  })
  expect(message.split('\n').slice(1)).toEqual([
    '  - MILLRACE_HOST is not a setting. Is MILLRACE_HOSTS meant?',
    '  - MILLRACE_ZEBRA_CROSSING is not a setting.',
    '  - PORT must be a whole number from 0 to 65535 (it is "80a").',
    '  - TRUST_PROXY must be true or false (it is "perhaps").',
    '  - LOG_LEVEL must be one of info, debug (it is "loud").',
    '  - DATABASE_URL must be a URL that begins with postgres://.',
    '  - MILLRACE_KEY must be 4 random bytes in base64, as from `openssl rand -base64 4`; it decodes to 12.',
  ])
})

test('a number outside its range, with a fraction or too long is refused', () => {
  for (const PORT of ['-1', '65536', '1.5', '1e3', '0x10', '9'.repeat(40)])
    expect(messageOf({ PORT })).toContain('PORT must be a whole number')
})

test('a setting can stand in a file, named by the variable with _FILE', () => {
  const config = load({ MILLRACE_KEY_FILE: file('key', 'AQIDBA==\n'), PORT_FILE: file('port', '81\n') })
  expect(config.values(settings)).toMatchObject({ key: Buffer.from([1, 2, 3, 4]), port: 81 })
  expect(config.entries.find(({ env }) => env === 'PORT')?.from).toBe('file')
})

test('a setting and its file together, and a file that is not there, are errors', () => {
  expect(messageOf({ PORT: '1', PORT_FILE: file('port2', '2') })).toContain('PORT and PORT_FILE are both set. Keep one of the two.')
  expect(messageOf({ PORT_FILE: join(directory, 'none') })).toMatch(/PORT_FILE names .*none, which cannot be read: ENOENT/)
  expect(messageOf({ PORT_FILE: file('port3', 'x') })).toMatch(/PORT_FILE: the content of .*port3 must be a whole number/)
})

test('.env is read, the environment counts before it, and an unknown name in it is refused too', () => {
  const path = file('.env', 'PORT=81\n# a remark\nMILLRACE_NAME="from the file"\nUNRELATED=1\n')
  expect(load({ PORT: '82' }, path).values(settings)).toMatchObject({ port: 82, name: 'from the file' })
  expect(load({}, join(directory, 'missing.env')).values(settings).port).toBe(3000)
  expect(messageOf({}, file('wrong.env', 'MILLRACE_NAMES=x'))).toContain('MILLRACE_NAMES is not a setting. Is MILLRACE_NAME meant?')
})

test('what is shown of the configuration never holds a secret', () => {
  const { entries } = load({ DATABASE_URL: 'postgres://u:hunter2@db/x', MILLRACE_KEY: 'AQIDBA==', MILLRACE_NAME: 'race' })
  expect(entries.map(({ env, shown }) => `${env}=${shown}`)).toEqual([
    'PORT=3000',
    'TRUST_PROXY=false',
    'MILLRACE_HOSTS=',
    'LOG_LEVEL=info',
    'DATABASE_URL=(set)',
    'MILLRACE_KEY=(set)',
    'MILLRACE_NAME=race',
  ])
})

test('settings that no module declares cannot be read', () => {
  const others = defineSettings({ other: { env: 'MILLRACE_OTHER', type: 'text', default: null, doc: '' } })
  expect(() => load({}).values(others)).toThrow('MILLRACE_OTHER')
})
