import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isAlive } from '../../server/src/platform/database/data-directory.ts'
import { freePort } from '../chaos/server-process.ts'
import { type Block, blocksOf, root } from './page.ts'
import { openTerminal, type Terminal } from './terminal.ts'

// What a reader has: a directory with the tutorial's files, and three terminals. Other programs may have the ports that the pages
// name, so free ones take their place, in what is typed and in the tutorial's files alike.
let place: string
let ports: { readonly server: string; readonly receiver: string }
let receiver: Terminal
let server: Terminal
let shell: Terminal

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'millrace-quick-start-'))
  ports = { server: String(await freePort()), receiver: String(await freePort()) }
  const tutorial = join(place, 'docs', 'tutorial')
  await cp(join(root, 'docs', 'tutorial'), tutorial, { recursive: true })
  for (const file of ['workflow.json', 'receiver.mjs']) {
    await writeFile(join(tutorial, file), withFreePorts(await readFile(join(tutorial, file), 'utf8')))
  }
  const env = {
    PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
    HOME: process.env['HOME'] ?? place,
    // As `npm start` has it.
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(root, 'node_modules', '.cache', 'node'),
  }
  receiver = openTerminal({ cwd: place, env })
  server = openTerminal({ cwd: place, env: { ...env, PORT: ports.server } })
  shell = openTerminal({ cwd: place, env })
})

afterAll(async () => {
  await Promise.all([shell, server, receiver].map((terminal) => terminal.close()))
  await endOrphan()
  await rm(place, { recursive: true, force: true })
})

/** Where a test failed between a kill and the next start, nobody else ends PostgreSQL. */
const endOrphan = async (): Promise<void> => {
  const lock = await readFile(join(place, 'data', 'postgres', 'postmaster.pid'), 'utf8').catch(() => null)
  const pid = Number(lock?.split('\n')[0])
  if (lock === null || !isAlive(pid)) return
  process.kill(pid, 'SIGQUIT')
  while (isAlive(pid)) await pause(20)
}

const withFreePorts = (text: string): string => text.replaceAll(/\b3000\b/g, ports.server).replaceAll(/\b4010\b/g, ports.receiver)

/** What stands in a block, as it is typed here. */
const typed = (block: Block | undefined, language = 'sh'): string => {
  if (block?.language !== language) throw new Error(`The page has ${block?.language ?? 'nothing'} where ${language} was expected.`)
  return withFreePorts(block.text.trim())
}

/** `npm start` without what it installs. */
const asNpmWould = async (command: string): Promise<string> => {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } }
  const start = /^exec node tools\/setup\.mjs (node (?:--\S+ )*)(server\/.+)$/.exec(scripts.start)
  if (start === null || !command.endsWith('npm start')) throw new Error(`"${command}" or the script "${scripts.start}" is not as expected.`)
  return command.replace('npm start', `${start[1]}${root}/${start[2]}`)
}

interface Ready {
  readonly url: string
  readonly announcements: readonly { readonly label: string; readonly text: string }[]
}

const ready = async (): Promise<Ready> => JSON.parse((await server.says(/^\{.*"msg":"ready".*\}$/m))[0]) as Ready

test('the quick start of the README gives what it shows, when it is pasted from top to bottom', async () => {
  const [startReceiver, startServer, register, publish, push, reply, steps, ...rest] = blocksOf('README.md', '## Quick start')
  expect(rest).toEqual([])
  receiver.begin(typed(startReceiver))
  await receiver.says(/Listening/)
  server.begin(await asNpmWould(typed(startServer)))
  const { url, announcements } = await ready()
  const announced = (label: string): string => announcements.find((each) => each.label === label)?.text ?? ''
  expect(url).toBe(`http://127.0.0.1:${ports.server}`)
  expect(announced('Try')).toBe(typed(register))
  const setUp = await fetch(announced('Set up'))
  expect([setUp.status, await setUp.text()]).toEqual([200, expect.stringContaining('Make the account of the first admin')])

  expect(JSON.parse(await shell.run(typed(register)))).toMatchObject({ user: { username: 'ada' } })
  expect(await shell.run(typed(publish))).toBe(`${url}/hooks/ada/github\n`)
  expect(await shell.run(typed(push))).toBe(typed(reply, 'json'))
  expect((await receiver.says(/^POST .*$/m))[0]).toContain('"commits":1')
  expect((await shell.run(typed(steps))).replaceAll(/\d+ ms/g, '…')).toBe(
    ['on_default_branch', 'count', 'announce', 'answer'].map((node_id) => `${node_id} succeeded …\n`).join(''),
  )
})

test('what the tutorial kills goes on where it was, and the call in flight is made again under the same key', async () => {
  const [slow, push, killServer, restart, again, list, killPostgres, reply, ...rest] = blocksOf('docs/tutorial/survive-a-kill.md')
  expect(rest).toEqual([])
  await receiver.interrupt()
  receiver.begin(typed(slow).replace(/ 10$/, ' 2'))
  await receiver.says(/Listening/)

  await shell.run(typed(push))
  await receiver.says(/^POST \/announcements/m)
  await shell.run(typed(killServer))
  server.begin(await asNpmWould(typed(restart)))
  await ready()
  const [repeated] = await receiver.says(new RegExp(typed(again, 'text').replace(/: .+$/, ': .+:announce')))
  expect(repeated).toContain('Again')
  await expect
    .poll(async () => statuses(await shell.run(typed(list))), { timeout: 10_000, interval: 100 })
    .toEqual(['succeeded', 'succeeded'])

  expect(await shell.run(typed(killPostgres))).toContain(typed(reply, 'json'))
  expect(await server.says(/PostgreSQL ended unexpectedly; starting it again/)).toBeTruthy()
  expect(statuses(await shell.run(typed(list)))).toEqual(['succeeded', 'succeeded', 'succeeded'])
})

const statuses = (reply: string): readonly string[] =>
  (JSON.parse(reply) as { items: { status: string }[] }).items.map(({ status }) => status)
