import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { serverProcess, type ServerProcess } from '../chaos/server-process.ts'
import { publishAll, signUp, type Workflow } from '../chaos/workflows.ts'

let server: ServerProcess
let data_dir: string

afterEach(async () => {
  await server.stop()
  await rm(data_dir, { recursive: true, force: true })
})

test('a webhook of which nothing is in memory but its address waits for a PostgreSQL that was killed, and is answered', async () => {
  data_dir = await mkdtemp(join(tmpdir(), 'millrace-outage-'))
  let log = ''
  server = await serverProcess({ data_dir, env: {}, onOutput: (text) => void (log += text) })
  await server.start()
  const workflows = await publishAll(await signUp(server.url), 9)
  const { path } = workflows.find(({ kind }) => kind.name === 'pure') as Workflow
  await server.stop()
  await server.start()

  server.killPostgres()
  const reply = await fetch(`${server.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"n":41}' })
  expect([reply.status, await reply.json()]).toEqual([200, { n: 41, next: 42 }])
  // Its log is written beside its replies.
  await expect.poll(() => log).toContain('PostgreSQL ended unexpectedly')
})
