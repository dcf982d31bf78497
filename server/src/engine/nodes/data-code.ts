import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { jsonSize } from '../../lib/json-size.ts'
import type { Json } from '../../lib/json.ts'
import type { Scope } from '../expression/scope.ts'
import { effect, Later, NodeFailure, type NodeIo } from '../node.ts'
import type { ProgramFailure, Seed } from '../sandbox/program.ts'
import { sandbox } from '../sandbox/sandbox.ts'

/** Of the output as JSON: it is parsed in the server's thread, which has others to serve. */
const most_output_chars = 1024 * 1024
/** Of input and context together, for the same reason. */
const most_input_chars = 8 * 1024 * 1024
/** Whoever finds a full queue comes again after so long, and up to twice as long. */
const again_ms = 1_000

const Config = Type.Object(
  {
    source: Type.String({
      format: 'literal',
      minLength: 1,
      maxLength: 262_144,
      description:
        'JavaScript with a function as its default export: `export default (input) => …`, or `async`. Taken as it stands, without `{{ }}`.',
    }),
    timeout_ms: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 60_000, default: 5_000, description: 'From its first statement to its last.' }),
    ),
    memory_mb: Type.Optional(Type.Integer({ minimum: 4, maximum: 256, default: 32, description: 'What its values may take.' })),
  },
  { additionalProperties: false },
)

/** What expressions may name at this place, as the second argument. */
const contextOf = (scope: Scope): Json => {
  const { trigger, execution, workspace, vars, item, index } = scope
  const steps = Object.fromEntries(Object.entries(scope.outputs()).map(([id, output]) => [id, { output }]))
  return { trigger, steps, execution, workspace, vars, ...(item === undefined ? {} : { item }), ...(index === undefined ? {} : { index }) }
}

/** As JSON, if it is no larger than `most`. */
const jsonOf = (value: Json, most: number): string => {
  const size = jsonSize(value, 2 * most)
  const json = size === null ? null : JSON.stringify(value)
  if (json !== null && json.length <= most) return json
  throw new NodeFailure({ code: 'code.input_too_large', message: `What the program is given is larger than ${most} characters of JSON` })
}

/** The same for every attempt and every recovery of a step, and another for every other step. */
const seedOf = (io: NodeIo): Seed => {
  const hash = createHash('sha256').update(`millrace.code:${io.idempotency_key}`).digest()
  return [hash.readUInt32LE(0), hash.readUInt32LE(4), hash.readUInt32LE(8), hash.readUInt32LE(12)]
}

const startedAt = (scope: Scope, io: NodeIo): number => {
  const { started_at } = scope.execution as { readonly started_at?: string }
  return started_at === undefined ? io.app.now() : Date.parse(started_at)
}

const failureOf = ({ code, message, name, place, logs }: ProgramFailure): NodeFailure => {
  const where = place === null ? '' : ` (line ${place.line}, column ${place.column})`
  const named = name === null ? message : `${name}: ${message}`
  const details = { name, line: place?.line ?? null, column: place?.column ?? null, logs }
  // The program would do the same again; only time may have been short for want of a processor.
  return new NodeFailure({ code, message: named + where, retryable: code === 'code.timeout', details })
}

/**
 * It has no effect on the world, and yet is declared as one: it runs elsewhere and may take long, and its result is to be durable before others
 * build on it. After a crash it is run again, with the same time and the same random numbers.
 */
export const codeNode = effect({
  type: 'data.code',
  title: 'Code',
  description: 'Runs JavaScript of your own, apart from the server: it sees its input and nothing else.',
  icon: 'code',
  config: Config,
  harmless: true,
  output: Type.Unknown({ description: 'What the function returns, as JSON has it; null when it returns nothing.' }),
  example: {
    config: { source: 'export default ({ items }) => ({ total: items.reduce((sum, { price }) => sum + price, 0) })' },
    trigger: { items: [{ price: 2 }, { price: 3.5 }] },
  },
  run: async ({ config, input }, io) => {
    const { scope, workspace_id, signal } = io
    const program = {
      source: config.source,
      input: jsonOf(input, most_input_chars),
      context: null,
      now: startedAt(scope, io),
      seed: seedOf(io),
      timeout_ms: config.timeout_ms ?? 5_000,
      memory_mb: config.memory_mb ?? 32,
      max_chars: most_output_chars,
    }
    const threads = io.app.use(sandbox)
    const first = await threads.run(program, { workspace_id, signal })
    const ended =
      first.kind === 'wants_context'
        ? await threads.run({ ...program, context: jsonOf(contextOf(scope), most_input_chars) }, { workspace_id, signal })
        : first
    if (ended.kind === 'done') return { output: JSON.parse(ended.json) as Json }
    if (ended.kind === 'failed') throw failureOf(ended.failure)
    if (ended.kind === 'busy') throw new Later(again_ms + (program.seed[0] % again_ms))
    throw new NodeFailure({ code: 'code.unavailable', message: 'The sandbox broke down while the program ran', retryable: true })
  },
})
