import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { type Bytecode, type Machine, openMachine } from './machine.ts'
import type { Answer, Task } from './program.ts'
import type { Wasm } from './wasm.ts'

/** Sources and bytecode that a thread keeps, in characters and bytes. */
const kept_code = 8 * 1024 * 1024
/** Lower than the thread of the server, so that it is asked first when the processor has to choose. Linux gives each thread a priority of its own. */
const niceness = 10

const bytecodeCache = (): Bytecode => {
  const kept = new Map<string, Uint8Array>()
  let size = 0
  return {
    get: (source) => kept.get(source),
    set: (source, bytecode) => {
      if (kept.has(source)) return
      const cost = source.length + bytecode.length
      if (size + cost > kept_code) {
        kept.clear()
        size = 0
      }
      kept.set(source, bytecode)
      size += cost
    },
  }
}

/** The machine of a thread: the same as long as the limit is the same and it is not spent. */
const machines = (wasm: Wasm): ((memory_mb: number) => Promise<Machine>) => {
  let last: { readonly memory_mb: number; readonly machine: Machine } | null = null
  return async (memory_mb) => {
    if (last === null || last.memory_mb !== memory_mb || last.machine.spent()) {
      last = null
      last = { memory_mb, machine: await openMachine(wasm, memory_mb) }
    }
    return last.machine
  }
}

const parse_memory_mb = 64

const answerer = (wasm: Wasm): ((task: Task) => Promise<Answer>) => {
  const bytecode = bytecodeCache()
  const machineOf = machines(wasm)
  return async (task) => {
    if (task.kind === 'run') {
      const machine = await machineOf(task.program.memory_mb)
      return { kind: 'ran', outcome: machine.run(task.program, bytecode) }
    }
    const until = performance.now() + task.timeout_ms
    const faults = []
    for (const source of task.sources) {
      faults.push(performance.now() > until ? undefined : (await machineOf(parse_memory_mb)).parse(source, until))
    }
    return { kind: 'parsed', faults }
  }
}

const serve = async (): Promise<void> => {
  if (process.platform === 'linux') setPriority(niceness)
  const answer = answerer(workerData as Wasm)
  const post = (message: Answer): void => {
    // A thread has no origin, unlike a window.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    parentPort?.postMessage(message)
  }
  // What it throws ends the thread, and the pool is told.
  parentPort?.on('message', (task: Task) => void answer(task).then(post))
  post({ kind: 'ready' })
}

await serve()
