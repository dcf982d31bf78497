import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testApp, type TestApp, type TestUser } from '../../server/src/test-app.ts'
import { blocksOf } from './page.ts'
import { openTerminal, type Terminal } from './terminal.ts'

let mill: TestApp
let ada: TestUser
let shell: Terminal
let directory: string

beforeAll(async () => {
  mill = await testApp()
  ada = await mill.register('ada')
  directory = await mkdtemp(join(tmpdir(), 'millrace-keys-'))
  const path = [dirname(process.execPath), process.env['PATH']].join(delimiter)
  shell = openTerminal({ cwd: directory, env: { PATH: path, API: `${mill.url}/api/v1`, TOKEN: ada.access_token } })
})
afterAll(async () => {
  await shell.close()
  await mill.close()
  await rm(directory, { recursive: true, force: true })
})

/** The checksum as the page describes it. */
const checksumOf = (text: string): string => {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let [rest, sum] = [crc32(text), '']
  for (let n = 0; n < 6; n++) [rest, sum] = [Math.floor(rest / 62), (digits[rest % 62] as string) + sum]
  return sum
}

test('the commands of the page about API keys do what the page says', async () => {
  const blocks = blocksOf('docs/how-to/api-keys.md')
  expect(blocks.map(({ language }) => language)).toEqual(['sh', 'sh', 'sh', 'text'])
  const [make, use, end, pattern] = blocks.map(({ text }) => text) as [string, string, string, string]
  const made = JSON.parse(await shell.run(make))
  expect(made).toMatchObject({ name: 'nightly report', workspace_id: ada.workspace_id, expires_at: '2099-01-01T00:00:00.000Z' })
  expect(await shell.run('ls')).toBe('')
  expect(JSON.parse(await shell.run(use))).toMatchObject({ items: [] })

  const scanner = new RegExp(pattern.trim(), 'g')
  const found = `const key = "${made.key}" // refresh: "mlrr_${'a'.repeat(43)}"`.match(scanner)
  expect(found).toEqual([made.key])
  expect(made.key.slice(-6)).toBe(checksumOf(made.key.slice(4, -6)))
  expect(made.key.slice(0, 26)).toBe(made.prefix)

  const said = await shell.run(end)
  expect(said).toContain('"permissions":["workflows:read"]')
  expect(JSON.parse(await shell.run(use))).toMatchObject({ status: 401, code: 'auth.api_key_invalid' })
})
