import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'

/** A shell that keeps its variables and its directory from one command to the next, as a reader's terminal does. */
export interface Terminal {
  /** Runs commands to their end. Resolves with what they printed; rejects when one fails. */
  readonly run: (commands: string) => Promise<string>
  /** Begins a command that stays. */
  readonly begin: (command: string) => void
  /** Resolves with the first match in what was printed since the last `begin`. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>
  /** Ctrl-C: the command that stays ends. */
  readonly interrupt: () => Promise<void>
  /** Interrupts, and closes the shell. Resolves when no process of it is left. */
  readonly close: () => Promise<void>
}

/** The slowest of what the pages do is a first start; none of it takes as long as this. */
const patience_ms = 20_000

const mark = (number: number): string => `--- end of commands ${number} ---`

export const openTerminal = (options: { readonly cwd: string; readonly env: { readonly [name: string]: string } }): Terminal => {
  // A process group of its own, so that Ctrl-C reaches what runs in it and not the tests. The shell itself ignores it, as one at a prompt does.
  const shell = spawn('sh', ['-e'], { ...options, detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  const closed = once(shell, 'close')
  let output = ''
  let since = 0
  let runs = 0
  const changed = new EventTarget()
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      changed.dispatchEvent(new Event('output'))
    })
  }
  // A shell that has ended takes nothing more; whoever waits for it hears so from `says`.
  shell.stdin.on('error', () => undefined)
  shell.stdin.write('trap : INT\n')

  const says = async (pattern: RegExp): Promise<RegExpExecArray> => {
    const late = pause(patience_ms, 'late', { ref: false })
    for (let ended: string | null = null; ;) {
      const said = output.slice(since)
      const found = pattern.exec(said)
      if (found !== null) return found
      if (ended !== null) throw new Error(`The shell ${ended} and had not said ${String(pattern)}, but:\n${said}`)
      const next = await Promise.race([once(changed, 'output'), closed.then(() => 'ended'), late.then(() => `took over ${patience_ms} ms`)])
      if (typeof next === 'string') ended = next
    }
  }
  const enter = (commands: string): void => {
    since = output.length
    shell.stdin.write(`${commands}\n`)
  }
  const interrupt = async (): Promise<void> => {
    const end = mark(++runs)
    if (shell.pid === undefined || shell.exitCode !== null || shell.signalCode !== null) return
    process.kill(-shell.pid, 'SIGINT')
    shell.stdin.write(`echo '${end}'\n`)
    await says(new RegExp(end))
  }

  return {
    run: async (commands) => {
      const end = mark(++runs)
      enter(`${commands}\necho; echo '${end}'`)
      const [, said = ''] = await says(new RegExp(`^([^]*)\\n${end}\\n`))
      return said
    },
    begin: (command) => enter(`${command} || true`),
    says,
    interrupt,
    close: async () => {
      await interrupt().catch(() => undefined)
      shell.stdin.end()
      await closed
    },
  }
}
