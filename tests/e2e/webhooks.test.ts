import { delimiter, dirname } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testApp, type TestApp } from '../../server/src/test-app.ts'
import { blocksOf, root } from './page.ts'
import { openTerminal, type Terminal } from './terminal.ts'

let mill: TestApp
let shell: Terminal

beforeAll(async () => {
  mill = await testApp()
  const { access_token } = await mill.register('ada')
  const path = [dirname(process.execPath), process.env['PATH']].join(delimiter)
  shell = openTerminal({ cwd: root, env: { PATH: path, API: `${mill.url}/api/v1`, TOKEN: access_token } })
})
afterAll(async () => {
  await shell.close()
  await mill.close()
})

const withoutIds = (text: string): string => text.replaceAll(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, '<id>')

test('the commands of the page about webhooks give what the page shows', async () => {
  const blocks = blocksOf('docs/how-to/receive-webhooks.md')
  expect(blocks.map(({ language }) => language)).toEqual(['sh', 'sh', 'text', 'sh', 'text', 'sh', 'text', 'sh', 'json', 'sh', 'text'])
  const here = (text: string): string =>
    text.replaceAll('http://127.0.0.1:3000', mill.url).replaceAll('127.0.0.1:3000', new URL(mill.url).host)
  let printed = ''
  for (const { language, text } of blocks) {
    if (language === 'sh') printed = await shell.run(here(text))
    else if (language === 'text') expect(withoutIds(printed.trim())).toBe(withoutIds(text.trim()))
    else expect(printed.replace('published: 201\n', '')).toBe(here(text.trim()))
  }
})
