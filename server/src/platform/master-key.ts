import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { writeWhole } from './database/data-directory.ts'
import { masterKey, type SealingKey } from './sealing.ts'
import { fileError, StartError } from './start-error.ts'

export interface MasterKey extends SealingKey {
  /** Where it came from, for a message. */
  readonly from: string
}

const keyBytes = 32

/** The key from the setting, else from `secret.key` in the data directory, else null. */
export const findMasterKey = async (configured: Buffer | null, data_dir: string): Promise<MasterKey | null> => {
  if (configured) return { ...masterKey(configured), from: 'MILLRACE_SECRET_KEY' }
  const path = keyFile(data_dir)
  const text = await readOrNull(path)
  if (text === null) return null
  const bytes = Buffer.from(text.trim(), 'base64')
  if (bytes.length !== keyBytes) {
    throw new StartError(
      `${path} does not hold ${keyBytes} bytes in base64.`,
      'Restore it from a backup. Without it, what was encrypted under it cannot be read.',
    )
  }
  return { ...masterKey(bytes), from: path }
}

/** Makes a key and keeps it in the data directory, readable by the owner alone. */
export const createMasterKey = async (data_dir: string): Promise<MasterKey> => {
  const path = keyFile(data_dir)
  const bytes = randomBytes(keyBytes)
  try {
    await writeWhole(path, `${bytes.toString('base64')}\n`)
  } catch (error) {
    throw fileError(error, path)
  }
  return { ...masterKey(bytes), from: path }
}

const keyFile = (data_dir: string): string => join(resolve(data_dir), 'secret.key')

const readOrNull = async (path: string): Promise<string | null> => {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw fileError(error, path)
  }
}
