import { delimiter, dirname } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testApp, type TestApp, type TestUser } from '../../server/src/test-app.ts'
import { blocksOf, root } from './page.ts'
import { openTerminal, type Terminal } from './terminal.ts'

let mill: TestApp
let ada: TestUser
let shell: Terminal

beforeAll(async () => {
  mill = await testApp()
  ada = await mill.register('ada')
  const path = [dirname(process.execPath), process.env['PATH']].join(delimiter)
  shell = openTerminal({ cwd: root, env: { PATH: path, API: `${mill.url}/api/v1`, TOKEN: ada.access_token } })
})
afterAll(async () => {
  await shell.close()
  await mill.close()
})

test('the commands of the page about teams do what the page says', async () => {
  const blocks = blocksOf('docs/how-to/work-in-teams.md')
  expect(blocks.map(({ language }) => language)).toEqual(['sh', 'sh', 'sh', 'sh', 'sh'])
  const [make, move, invite, promote, remove] = blocks.map(({ text }) => text) as [string, string, string, string, string]
  await shell.run(make)
  const { body } = await ada.call('GET', '/api/v1/workspaces')
  const team = body.items.find(({ slug }: { slug: string }) => slug === 'mill-works')
  await shell.run(move)
  expect(JSON.parse(await shell.run('curl -s $API/auth/me -H "authorization: Bearer $TOKEN"'))).toMatchObject({ workspace_id: team.id })
  expect(JSON.parse(await shell.run(invite))).toMatchObject({ email: 'grace@example.org', role: 'member', workspace_id: team.id })
  const grace = await mill.register('grace')
  await mill.database.owner`
    insert into workspace_members (workspace_id, user_id, role, created_at)
    values (${team.id}, ${grace.id}, 'member', now())`
  await shell.run(`USER_ID=${grace.id}`)
  expect(JSON.parse(await shell.run(promote))).toMatchObject({ user_id: grace.id, role: 'admin' })
  expect(JSON.parse(await shell.run(remove))).toMatchObject({ id: team.id, purge_at: expect.any(String) })
  expect(await ada.call('GET', `/api/v1/workspaces/${team.id}`)).toMatchObject({ status: 404 })
})
