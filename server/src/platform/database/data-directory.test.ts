import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { StartError } from '../start-error.ts'
import { openDataDirectory } from './data-directory.ts'

let root: string
const children: ChildProcess[] = []

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-directory-'))
})

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await rm(root, { recursive: true, force: true })
})

const program = `
  const { openDataDirectory } = await import(${JSON.stringify(new URL('data-directory.ts', import.meta.url).href)})
  try {
    const { instance_id } = await openDataDirectory(process.argv[1])
    console.log(JSON.stringify({ instance_id }))
    setInterval(() => {}, 1000)
  } catch (error) {
    console.log(JSON.stringify({ refused: error.message, name: error.name }))
  }
`

/** Another process that opens the directory, and its answer. It holds on to the directory until it is killed. */
const openElsewhere = async (path: string, prefix: readonly string[] = []) => {
  const [file, ...args] = [...prefix, process.execPath, '--input-type=module', '-e', program, path]
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const answer = JSON.parse(line) as { instance_id?: string; refused?: string; name?: string }
  return { pid: child.pid as number, ...answer, kill: async () => void (child.kill('SIGKILL'), await once(child, 'exit')) }
}

const refusal = async (path: string): Promise<StartError> => {
  const error = await openDataDirectory(path).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(StartError)
  return error as StartError
}

test('a new data directory is private and keeps its instance id', async () => {
  const path = join(root, 'deep', 'new')
  const first = await openDataDirectory(path)
  expect((await stat(path)).mode & 0o777).toBe(0o700)
  for (const name of ['instance-id', 'server.lock', 'server.json']) expect((await stat(join(path, name))).mode & 0o777).toBe(0o600)
  expect((await readFile(join(path, 'instance-id'), 'utf8')).trim()).toBe(first.instance_id)
  await first.close()
  await first.close()

  await symlink(path, join(root, 'link'))
  const second = await openDataDirectory(join(root, 'link'))
  expect(second).toMatchObject({ path, instance_id: first.instance_id })
  await second.close()
})

test('a second server on the same directory is told the process id of the first', async () => {
  const path = join(root, 'taken')
  const holder = await openElsewhere(path)
  expect(holder.instance_id).toBeDefined()
  const error = await refusal(path)
  expect(error.message).toContain(`process ${holder.pid}`)
  expect(error.advice).toContain('MILLRACE_DATA_DIR')
  await holder.kill()
})

test('of servers that start in the same instant exactly one gets the directory', async () => {
  for (const round of ['a', 'b']) {
    const path = join(root, 'race', round)
    const all = await Promise.all(Array.from({ length: 5 }, () => openElsewhere(path)))
    const winners = all.filter(({ instance_id }) => instance_id !== undefined)
    expect(winners).toHaveLength(1)
    for (const { refused } of all.filter((one) => one !== winners[0])) expect(refused).toContain(`process ${winners[0]?.pid}`)
    await winners[0]?.kill()
  }
})

test('a killed server does not hold its directory', async () => {
  const path = join(root, 'killed')
  const holder = await openElsewhere(path)
  await holder.kill()
  const next = await openDataDirectory(path)
  expect(next.instance_id).toBe(holder.instance_id)
  await next.close()
})

test('a refused attempt in the same process does not loosen the lock', async () => {
  const path = join(root, 'same-process')
  const holder = await openDataDirectory(path)
  expect((await refusal(path)).message).toContain(`process ${process.pid}`)
  expect((await openElsewhere(path)).refused).toContain(`process ${process.pid}`)
  await holder.close()
  const next = await openElsewhere(path)
  expect(next.instance_id).toBe(holder.instance_id)
  await next.kill()
})

test('a path that is a file, or leads through one, is refused with a sentence', async () => {
  const file = join(root, 'file')
  await writeFile(file, 'text')
  expect((await refusal(file)).message).toContain('is a file')
  expect((await refusal(join(file, 'below'))).message).toContain('is a file')
  await symlink(join(root, 'nowhere'), join(root, 'dangling'))
  expect((await refusal(join(root, 'dangling'))).message).toContain('cannot be created')
  expect((await refusal(join(root, 'x'.repeat(300)))).message).toContain('too long')
  expect((await refusal(`${root}/line\nbreak`)).message).toContain('line break')
})

test('a directory that may not be written is refused with a sentence', async () => {
  const path = join(root, 'read-only')
  await mkdir(path)
  await chmod(path, 0o500)
  // Root may write everywhere; in a user namespace that shows it as somebody else it may not.
  const asOrdinaryUser = process.getuid?.() === 0 ? ['unshare', '--user', '--map-user=1000', '--map-group=1000', '--'] : []
  const { refused, name } = await openElsewhere(path, asOrdinaryUser)
  expect({ refused, name }).toEqual({ refused: expect.stringContaining('permission denied'), name: 'StartError' })
})

test('a damaged instance id is said and not replaced', async () => {
  const path = join(root, 'damaged')
  await mkdir(path)
  await writeFile(join(path, 'instance-id'), 'not an id\n')
  expect((await refusal(path)).message).toContain('holds no UUID')
  expect(await readFile(join(path, 'instance-id'), 'utf8')).toBe('not an id\n')
})
