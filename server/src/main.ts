import { createApp } from './app.ts'
import { audit } from './audit-command.ts'
import { modules } from './modules.ts'
import { roles } from './roles.ts'
import { StartError } from './platform/start-error.ts'
import { version } from './platform/version.ts'
import { serve } from './serve.ts'

const help = `Millrace ${version}

  start     run the server (what happens without a command, too)
  migrate   bring the database up to date, and end
  audit     verify [--json] [--expect <chain>:<seq>:<hash>]…
            recompute the chains of the audit; 1 when one of them is broken
  config    show the configuration as it takes effect, secrets left out
  version   show the version
  help      show this

Settings come from the environment and from .env; docs/reference/settings.md describes them.
`

const commands: { readonly [name: string]: ((rest: readonly string[]) => number | Promise<number>) | undefined } = {
  start: serve,
  migrate: async () => {
    const app = createApp({ modules, roles, env: process.env, env_file: '.env' })
    try {
      const applied = await app.migrate()
      return print(`${applied} migrations applied; the database is up to date.\n`)
    } finally {
      await app.stop()
    }
  },
  audit,
  config: () => {
    const { entries } = createApp({ modules, roles, env: process.env, env_file: '.env' }).config
    return print(entries.map(({ env, shown, from }) => `${`${env}=${shown}`.padEnd(50)} # ${from}\n`).join(''))
  },
  version: () => print(`${version}\n`),
  help: () => print(help),
}

const aliases: { readonly [name: string]: string | undefined } = { '--help': 'help', '-h': 'help', '--version': 'version', '-v': 'version' }

const print = (text: string): 0 => {
  process.stdout.write(text)
  return 0
}

const run = async ([given = 'start', ...rest]: readonly string[]): Promise<number> => {
  const command = commands[aliases[given] ?? given]
  if (!command || (rest.length > 0 && command !== audit)) {
    process.stderr.write(command ? `${given} takes nothing after it.\n\n${help}` : `There is no command ${given}.\n\n${help}`)
    return 2
  }
  try {
    return await command(rest)
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    process.stderr.write(`\n${error.message}\n${error.advice}\n`)
    return 1
  }
}

// Everything is closed by then; whatever else might keep the process alive must not.
process.exit(await run(process.argv.slice(2)))
