import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { atMost } from '../../lib/at-most.ts'
import { syncDirectory } from '../database/data-directory.ts'
import { fileError } from '../start-error.ts'
import { type BlobStore, digestOf, type Listed } from './blob.ts'
import { errors } from './errors.ts'

/** Files that are open at a time. */
const most_open = 16

/** Of files that are being written; no key begins with it. */
const temporary = '.'

/** Blobs as files below a directory, which is made where it is missing. Throws `StartError` when it cannot be. */
export const openDisk = async (root: string): Promise<BlobStore> => {
  try {
    const made = await mkdir(root, { recursive: true, mode: 0o700 })
    if (made !== undefined) await syncUpTo(dirname(made), dirname(root))
  } catch (error) {
    throw fileError(error, root)
  }
  const inTurn = atMost(most_open)
  const pathOf = (key: string): string => join(root, checked(key))
  return {
    put: (key, bytes) => inTurn(() => write(root, pathOf(key), bytes)),
    get: async (key, digest) => {
      const bytes = await inTurn(() => read(pathOf(key), key))
      const found = digestOf(bytes)
      if (found.size !== digest.size || found.sha256 !== digest.sha256) throw errors.damaged({ detail: `The file is ${key}.` })
      return bytes
    },
    remove: async (prefix) => {
      const path = pathOf(prefix)
      await rm(path, { recursive: true, force: true })
      if (dirname(path) !== root) await removeEmpty(dirname(path))
    },
    list: (folder) => list(pathOf(folder)),
  }
}

const checked = (key: string): string => {
  if (!/^[a-z0-9_-]+(\/[a-z0-9_-]+)*$/.test(key)) throw new Error(`This is no key of a blob: ${JSON.stringify(key)}`)
  return key
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** In the order that makes it durable: what the file holds, then its name, then the names of the folders above it. */
const write = async (root: string, path: string, bytes: Uint8Array): Promise<void> => {
  const folder = dirname(path)
  const written = join(folder, `${temporary}${randomUUID()}`)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    const file = await open(written, 'wx', 0o600)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(written, path)
  } catch (error) {
    await rm(written, { force: true })
    throw error
  }
  // Those above as well each time: another may have made them just now, and not be done.
  await syncUpTo(root, folder)
}

const syncUpTo = async (top: string, folder: string): Promise<void> => {
  for (let above = folder; above.length >= top.length; above = dirname(above)) {
    await syncDirectory(above)
    if (above === dirname(above)) return
  }
}

const read = async (path: string, key: string): Promise<Buffer> => {
  try {
    return await readFile(path)
  } catch (cause) {
    const detail = `The file is ${key}.`
    throw codeOf(cause) === 'ENOENT' ? errors.missing({ detail, cause }) : errors.unavailable({ detail, cause })
  }
}

const removeEmpty = async (folder: string): Promise<void> => {
  try {
    await rmdir(folder)
  } catch (error) {
    // Others are in it, or somebody else was faster.
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(codeOf(error) ?? '')) throw error
  }
}

const list = async (folder: string): Promise<readonly Listed[]> => {
  const names = await unlessGone(readdir(folder))
  const listed: Listed[] = []
  for (const name of names ?? []) {
    if (name.startsWith(temporary)) continue
    const found = await unlessGone(stat(join(folder, name)))
    if (found !== null) listed.push({ name, changed_at: found.mtimeMs })
  }
  return listed
}

const unlessGone = async <T>(reading: Promise<T>): Promise<T | null> => {
  try {
    return await reading
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}
