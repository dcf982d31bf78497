import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { histogram } from './load/histogram.ts'

/** Beside the bench and not in the system's temporary directory, which on many machines is memory, where a durable commit costs nothing. */
const parent = join(import.meta.dirname, 'data')

/** An empty directory on the disk that the repository is on, for the length of `work`. */
export const withDirectory = async <T>(work: (directory: string) => Promise<T>): Promise<T> => {
  await mkdir(parent, { recursive: true })
  const directory = await mkdtemp(join(parent, 'run-'))
  const remove = (): void => rmSync(directory, { recursive: true, force: true })
  process.once('exit', remove)
  try {
    return await work(directory)
  } finally {
    process.off('exit', remove)
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** What the disk takes to make 8 KiB durable, milliseconds in the middle of 100 tries: what every durable commit is built on. */
export const fsyncMs = (): Promise<number> =>
  withDirectory(async (directory) => {
    const file = await open(join(directory, 'fsync'), 'w')
    const page = Buffer.alloc(8192, 1)
    const latency = histogram()
    for (let turn = 0; turn < 100; turn++) {
      const since = performance.now()
      await file.write(page)
      await file.datasync()
      latency.record((performance.now() - since) * 1000)
    }
    await file.close()
    return latency.quantile_us(0.5) / 1000
  })
