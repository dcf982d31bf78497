import { parentPort, workerData } from 'node:worker_threads'
import { bcryptVerify } from 'hash-wasm'
import type { BcryptTask } from './bcrypt.ts'

const { password, hash } = workerData as BcryptTask
// A thread has no origin, unlike a window.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage(await bcryptVerify({ password, hash }))
