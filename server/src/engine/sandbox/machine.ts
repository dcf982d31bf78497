import { CompileFlags, EvalFlags, Intrinsics, JSException, type JSValueHandle, QuickJS } from 'quickjs-wasi'
import { isDeeperThan } from '../../lib/json-text.ts'
import { prelude } from './prelude.ts'
import type { FailureCode, Outcome, Place, Program, ProgramFailure, SourceFault } from './program.ts'
import type { Wasm } from './wasm.ts'

/** A JavaScript of its own, in a memory of its own. Every program finds it as if it were the first. */
export interface Machine {
  readonly parse: (source: string, until: number) => SourceFault | null
  readonly run: (program: Program, bytecode: Bytecode) => Outcome
  /** True when it is to be thrown away: it broke off in the middle, or has grown. */
  readonly spent: () => boolean
}

/** Compiled sources. Only what a machine has compiled itself may be in it: bytecode is taken on trust. */
export interface Bytecode {
  readonly get: (source: string) => Uint8Array | undefined
  readonly set: (source: string, bytecode: Uint8Array) => void
}

const file = 'code.js'
/** Of the machine's own stack: recursion of about 1,400 calls. */
const stack_bytes = 512 * 1024
/** A machine whose memory has grown beyond this is not used again: to wipe more takes longer than to make a new one. */
const kept_bytes = 6 * 1024 * 1024
/** Levels of arrays and objects in an output: what comes after it (serialising, PostgreSQL) copes with no more than some. */
const most_depth = 256
/** What is left out: a clock, and what shows when memory is collected. */
const intrinsics = Intrinsics.ALL & ~Intrinsics.PERFORMANCE & ~Intrinsics.WEAK_REF

/** What the outside of a running machine looks at and turns. */
interface Controls {
  memory: { readonly buffer: ArrayBufferLike } | null
  now: number
  /** `performance.now()`. */
  until: number
  late: boolean
  broken: boolean
}

/** The time in nanoseconds that WebAssembly asks for: what it was told, whenever it asks. */
const clock = (controls: Controls) => (memory: { readonly buffer: ArrayBufferLike }) => {
  controls.memory = memory
  return {
    clock_time_get: (_clock: number, _precision: bigint, at: number): number => {
      new DataView(memory.buffer).setBigUint64(at, BigInt(controls.now) * 1_000_000n, true)
      return 0
    },
    random_get: (): number => 52,
    fd_write: (): number => 8,
  }
}

interface Parts {
  readonly vm: QuickJS
  readonly controls: Controls
  readonly start: JSValueHandle
  readonly seed: JSValueHandle
  readonly box: JSValueHandle
  readonly memory_mb: number
}

/**
 * Makes a machine. Its whole state lies in one WebAssembly memory, so that putting back the bytes that it had when it was new makes it new again:
 * nothing of a program can outlive it, and it takes a hundredth of the time that a new one takes.
 */
export const openMachine = async (wasm: Wasm, memory_mb: number): Promise<Machine> => {
  const controls: Controls = { memory: null, now: 0, until: Infinity, late: false, broken: false }
  const vm = await QuickJS.create({
    wasm,
    wasi: clock(controls),
    intrinsics,
    memoryLimit: memory_mb * 1024 * 1024,
    maxStackSize: stack_bytes,
    timezoneOffset: 0,
    interruptHandler: () => {
      if (performance.now() > controls.until) controls.late = true
      return controls.late
    },
  })
  const own = vm.evalCode(prelude)
  const parts: Parts = { vm, controls, start: own.getProp('start'), seed: own.getProp('seed'), box: own.getProp('box'), memory_mb }
  // Handles that the library makes once must be in the picture of the new machine, not in the remains of a run.
  if (!vm.undefined.isUndefined) throw new Error('the sandbox has no undefined')
  const fresh = new Uint8Array(bufferOf(controls)).slice()
  const renew = (now: number, until: number): void => {
    const memory = new Uint8Array(bufferOf(controls))
    memory.set(fresh)
    memory.fill(0, fresh.length)
    Object.assign(controls, { now, until, late: false })
  }
  return {
    parse: (source, until) => {
      renew(0, until)
      return faultOf(parts, source)
    },
    run: (program, bytecode) => {
      const until = performance.now() + program.timeout_ms
      renew(program.now, until)
      return run(parts, program, bytecode, () => renew(program.now, until))
    },
    spent: () => controls.broken || bufferOf(controls).byteLength > kept_bytes,
  }
}

const bufferOf = ({ memory }: Controls): ArrayBufferLike => {
  if (memory === null) throw new Error('the sandbox has no memory')
  return memory.buffer
}

const placeOf = (stack: string): Place | null => {
  const found = /\bcode\.js:(\d{1,9}):(\d{1,9})/.exec(stack)
  return found ? { line: Number(found[1]), column: Number(found[2]) } : null
}

/** The mistake that keeps a source from being compiled. */
const faultOf = ({ vm, controls }: Parts, source: string): SourceFault | null => {
  try {
    vm.evalCode(source, file, EvalFlags.TYPE_MODULE | EvalFlags.COMPILE_ONLY)
    return null
  } catch (error) {
    if (!(error instanceof JSException)) {
      controls.broken = true
      return { message: `It cannot be read: ${(error as Error).message}`, place: null }
    }
    const imported = /^could not load module '(.*)'/s.exec(error.message)
    const message = imported ? `There is nothing to import here, and so no '${String(imported[1]).slice(0, 100)}'` : error.message
    const place = placeOf(error.stack ?? '')
    error.dispose()
    return { message: message.slice(0, 1000), place }
  }
}

const failure = (code: FailureCode, message: string, more: Partial<ProgramFailure> = {}): Outcome => ({
  kind: 'failed',
  failure: { code, message, name: null, place: null, logs: [], ...more },
})

const run = (parts: Parts, program: Program, bytecode: Bytecode, renew: () => void): Outcome => {
  const { controls } = parts
  try {
    const compiled = bytecode.get(program.source) ?? compile(parts, program.source)
    if (compiled === null) {
      renew()
      const fault = faultOf(parts, program.source)
      return failure('code.failed', fault?.message ?? 'It cannot be compiled', { name: 'SyntaxError', place: fault?.place ?? null })
    }
    bytecode.set(program.source, compiled)
    execute(parts, program, compiled)
    return controls.late ? tooLate(program) : outcomeOf(parts, program)
  } catch (error) {
    controls.broken = true
    if (controls.late) return tooLate(program)
    return brokenOff(parts, error as Error)
  }
}

/** Null: it is no JavaScript. The library says of a mistake what it is and not where. */
const compile = ({ vm }: Parts, source: string): Uint8Array | null => {
  try {
    return vm.compile(source, file, EvalFlags.TYPE_MODULE, CompileFlags.STRIP_SOURCE)
  } catch (error) {
    if ((error as Error).message.startsWith('Compilation error')) return null
    throw error
  }
}

const execute = ({ vm, start, seed }: Parts, program: Program, compiled: Uint8Array): void => {
  vm.callFunction(seed, vm.undefined, ...program.seed.map((number) => vm.newNumber(number)))
  const loading = vm.evalBytecode(compiled)
  const context = program.context === null ? vm.undefined : vm.newString(program.context)
  vm.callFunction(start, vm.undefined, loading, vm.newString(program.input), context, vm.newNumber(program.max_chars))
  vm.executePendingJobs()
}

const tooLate = ({ timeout_ms }: Program): Outcome => failure('code.timeout', `The program ran longer than ${timeout_ms} ms`)

const outOfMemory = (memory_mb: number, logs: readonly string[] = []): Outcome =>
  failure('code.memory', `The program needs more than ${memory_mb} MB of memory`, { logs })

/** What the library throws when the machine itself could not go on. */
const brokenOff = ({ controls, memory_mb }: Parts, error: Error): Outcome => {
  const full = bufferOf(controls).byteLength > 0.8 * memory_mb * 1024 * 1024
  if (full || /out of memory|malloc/.test(error.message)) return outOfMemory(memory_mb)
  const message = error.message === '' ? 'The program broke off' : error.message.slice(0, 1000)
  return failure('code.failed', message, { name: error.name.slice(0, 100), place: placeOf(error.stack ?? '') })
}

const outcomeOf = ({ box, memory_mb }: Parts, program: Program): Outcome => {
  const read = (field: string): string => box.getProp(field).consume((value) => value.toString())
  const state = read('state')
  if (state === 'wants_context') return { kind: 'wants_context' }
  const written = read('logs')
  const logs = written === '' ? [] : written.split('\0', 50)
  if (state === 'done') {
    const json = read('text')
    if (!isDeeperThan(json, most_depth)) return { kind: 'done', json }
    return failure('code.output_invalid', `The output is nested more than ${most_depth} levels deep`, { logs })
  }
  if (state === 'threw') {
    const [message, name, place] = [read('text'), read('name'), placeOf(read('stack'))]
    if (name === 'InternalError' && message === 'out of memory') return outOfMemory(memory_mb, logs)
    return failure('code.failed', message, { name: name === '' ? null : name, place, logs })
  }
  if (state === 'invalid') return failure('code.output_invalid', read('text'), { logs })
  if (state === 'too_large') {
    return failure('code.output_too_large', `The output is larger than ${program.max_chars} characters of JSON`, { logs })
  }
  const message =
    state === 'no_function'
      ? 'The program has no function as its default export: it begins with `export default (input) =>`'
      : 'The promise that the program returned is never kept: nothing here waits for time or for others'
  return failure('code.failed', message, { logs })
}
