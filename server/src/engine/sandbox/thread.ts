import { readFile } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import type { Answer, Task } from './program.ts'
import { compileWasm, type Wasm } from './wasm.ts'

/** `overfull`: it took more memory than a thread may; `ended`: for any other reason. Either is the last that is heard of it. */
export type Told = Answer | { readonly kind: 'overfull' } | { readonly kind: 'ended'; readonly error: unknown }

export interface Thread {
  readonly ready: () => boolean
  /** To a thread that is ready and has answered what it was asked before. */
  readonly post: (task: Task) => void
  /** Whatever it does. Resolves when it is gone; nothing is heard of it any more. */
  readonly end: () => Promise<void>
}

/** What holds if QuickJS's own limit should not: that one is lower. WebAssembly's memory does not count here. */
const resourceLimits = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 }

/** Compiled once for all threads: they share its code. */
export const loadWasm = async (): Promise<Wasm> => compileWasm(await readFile(new URL(import.meta.resolve('quickjs-wasi/quickjs.wasm'))))

/** Starts a thread of the sandbox, which tells `ready` before anything else. It sees neither environment nor arguments of the server. */
export const startThread = (wasm: Promise<Wasm>, tell: (told: Told) => void): Thread => {
  let worker: Worker | null = null
  let ready = false
  let over = false
  const told = (what: Told): void => {
    if (over) return
    ready = true
    if (what.kind === 'ended' || what.kind === 'overfull') over = true
    tell(what)
  }
  const failed = (error: unknown): void =>
    told((error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY' ? { kind: 'overfull' } : { kind: 'ended', error })
  void wasm.then((workerData) => {
    if (over) return
    worker = new Worker(new URL('./thread-main.ts', import.meta.url), { workerData, resourceLimits, env: {}, argv: [], execArgv: [] })
    worker.unref()
    worker.on('message', told)
    worker.on('error', failed)
    worker.on('exit', () => failed(new Error('a thread of the sandbox ended')))
  }, failed)
  return {
    ready: () => ready,
    // A thread has no origin, unlike a window.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    post: (task) => worker?.postMessage(task),
    end: async () => {
      over = true
      await worker?.terminate()
    },
  }
}
