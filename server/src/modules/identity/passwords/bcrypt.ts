import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

export interface BcryptTask {
  readonly password: Uint8Array
  readonly hash: string
}

/** `$2a$`, `$2b$` and `$2y$` name the same algorithm, as done by what had a bug once, by what never had it, and by PHP. */
const form = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/
/** bcrypt reads this many bytes of a password and no more: what made the hash did not see the rest either. */
const maxBytes = 72
/** Cost 14 takes about a second of a core. A hash that takes longer would keep everybody else from signing in. */
const costs = { min: 4, max: 14 }

export const isBcrypt = (hash: string): boolean => {
  const cost = Number(form.exec(hash)?.[1])
  return cost >= costs.min && cost <= costs.max
}

/**
 * Verifies a bcrypt hash, on a thread of its own: it takes up to a second, Node has no bcrypt, and the event loop must not wait for it. The thread ends
 * with the answer; an imported hash is looked at this way once, and is an argon2id one afterwards. The password is taken as it was
 * typed, not in NFC: so did the system that the hash comes from.
 */
export const verifyBcrypt = async (password: string, hash: string): Promise<boolean> => {
  const workerData: BcryptTask = { password: new TextEncoder().encode(password).slice(0, maxBytes), hash }
  const worker = new Worker(new URL('./bcrypt-worker.ts', import.meta.url), { workerData })
  try {
    // Rejects when the worker fails.
    const [verified] = (await once(worker, 'message')) as [boolean]
    return verified
  } finally {
    await worker.terminate()
  }
}
