import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { digestOf } from './blob.ts'
import { blobSuite } from './blob.suite.ts'
import { openDisk } from './disk.ts'

const made: string[] = []
afterAll(() => Promise.all(made.map((root) => rm(root, { recursive: true, force: true }))))
const newRoot = async (): Promise<string> => {
  const root = await mkdtemp(join(tmpdir(), 'millrace-blobs-'))
  made.push(root)
  return root
}

blobSuite(async () => openDisk(join(await newRoot(), 'made', 'here')))

const bytes = Buffer.from('flour'.repeat(100_000))

test('a file that was changed, cut or added to is damaged', async () => {
  const root = await newRoot()
  const blobs = await openDisk(root)
  const path = join(root, 'mill/a/1')
  const changed = Buffer.from(bytes)
  changed[4_000] = 0
  for (const damage of [() => writeFile(path, changed), () => truncate(path, 10), () => appendFile(path, 'x')]) {
    await blobs.put('mill/a/1', bytes)
    await damage()
    await expect(blobs.get('mill/a/1', digestOf(bytes))).rejects.toMatchObject({ code: 'blobs.damaged' })
  }
})

test('what a process was writing when it was killed is not there, and goes with its folder', async () => {
  const root = await newRoot()
  const disk = new URL('./disk.ts', import.meta.url).href
  const program = `
    const { openDisk } = await import(${JSON.stringify(disk)})
    const blobs = await openDisk(${JSON.stringify(root)})
    await blobs.put('mill/a/1', Buffer.alloc(1000))
    void blobs.put('mill/a/2', Buffer.alloc(256 * 1024 * 1024))
    process.stdout.write('writing')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  await expect.poll(async () => (await readdir(join(root, 'mill/a'))).some((name) => name.startsWith('.'))).toBe(true)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const blobs = await openDisk(root)
  expect((await blobs.list('mill/a')).map(({ name }) => name)).toEqual(['1'])
  await expect(blobs.get('mill/a/2', digestOf(bytes))).rejects.toMatchObject({ code: 'blobs.missing' })
  await blobs.remove('mill/a')
  expect(await readdir(root)).toEqual([])
})

test('a directory that cannot be read or written says so, and nothing is left', async () => {
  const root = await newRoot()
  await writeFile(join(root, 'file'), 'a file')
  await expect(openDisk(join(root, 'file'))).rejects.toMatchObject({ name: 'StartError' })
  const blobs = await openDisk(root)
  await expect(blobs.put('file/1', bytes)).rejects.toThrow()
  await expect(blobs.get('file/1', digestOf(bytes))).rejects.toMatchObject({ code: 'blobs.unavailable' })
  expect(await readFile(join(root, 'file'), 'utf8')).toBe('a file')
})
