import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

interface Check {
  readonly name: string
  readonly command: readonly [string, ...string[]]
}

const checks: readonly Check[] = [
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['oxfmt', '--check'] },
  { name: 'dead code', command: ['knip'] },
  { name: 'house rules', command: ['node', 'tools/check-house.ts'] },
  { name: 'generated files', command: ['node', 'tools/generate.ts', '--check'] },
]

const root = join(import.meta.dirname, '..')

/** Runs one check and shows what it says only when it fails. */
const run = async ({ name, command: [program, ...args] }: Check): Promise<boolean> => {
  const started = performance.now()
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => void (output += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stdout.write(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n${code === 0 ? '' : `${output.trimEnd()}\n\n`}`)
  return code === 0
}

let failed = 0
for (const check of checks) if (!(await run(check))) failed += 1
process.stdout.write(`\n${checks.length - failed} of ${checks.length} checks passed\n`)
process.exitCode = failed === 0 ? 0 : 1
