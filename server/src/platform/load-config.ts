import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { closest } from '../lib/closest.ts'
import type { SettingDeclaration, SettingDeclarations, Settings, SettingValues } from './config.ts'
import { parseSetting, type SettingValue } from './setting-value.ts'
import { StartError } from './start-error.ts'

export type Environment = { readonly [variable: string]: string | undefined }

/** A setting as it ended up, for the `config` command and the tests. */
export interface ConfigEntry {
  readonly owner: string
  readonly env: string
  readonly value: SettingValue
  readonly from: 'default' | 'environment' | '.env' | 'file'
  /** The value as it may be printed: a secret says only whether it is set. */
  readonly shown: string
}

export interface Config {
  /** The values of one module's settings. Throws for settings that no module of this app declares. */
  readonly values: <D extends SettingDeclarations>(settings: Settings<D>) => SettingValues<D>
  readonly entries: readonly ConfigEntry[]
}

export interface ConfigInput {
  /** Each owner's settings, in the order they are shown. */
  readonly declared: readonly { readonly owner: string; readonly settings: Settings<SettingDeclarations> }[]
  readonly env: Environment
  /** Path of a `.env` file; it need not exist. What the environment says counts before it. */
  readonly env_file?: string
}

/**
 * Reads every declared setting. A variable may be given as it is or as `<variable>_FILE`, the name of a file that holds it;
 * an empty one counts as not given. Throws one `StartError` that lists everything that is wrong.
 */
export const loadConfig = (input: ConfigInput): Config => {
  const problems: string[] = []
  const report = (problem: string): void => void problems.push(problem)
  const sources: Source[] = [
    { from: 'environment', variables: input.env },
    { from: '.env', variables: readEnvFile(input.env_file, report) },
  ]
  const known = new Set(input.declared.flatMap(({ settings }) => Object.values(settings.declarations).map(({ env }) => env)))
  reportUnknown(sources, known, report)

  const entries: ConfigEntry[] = []
  const values = new Map<Settings<SettingDeclarations>, object>()
  for (const { owner, settings } of input.declared) {
    const mine = Object.entries(settings.declarations).map(([name, declaration]) => {
      const entry = readSetting(owner, declaration, sources, report)
      entries.push(entry)
      return [name, entry.value]
    })
    values.set(settings, Object.freeze(Object.fromEntries(mine)))
  }
  if (problems.length > 0) {
    const lines = problems.map((problem) => `\n  - ${problem}`).join('')
    throw new StartError(`The configuration is not right:${lines}`, 'All settings are described in docs/reference/settings.md.')
  }
  return { entries, values: <D extends SettingDeclarations>(settings: Settings<D>) => valuesOf(values, settings) }
}

interface Source {
  readonly from: 'environment' | '.env'
  readonly variables: Environment
}

type Report = (problem: string) => void

const valuesOf = <D extends SettingDeclarations>(
  values: ReadonlyMap<Settings<SettingDeclarations>, object>,
  settings: Settings<D>,
): SettingValues<D> => {
  const found = values.get(settings)
  if (!found) throw new Error(`Settings of no mounted module: ${Object.values(settings.declarations)[0]?.env}. Name them in its module.ts.`)
  return found as SettingValues<D>
}

const readEnvFile = (path: string | undefined, report: Report): Environment => {
  if (path === undefined) return {}
  try {
    return parseEnv(readFileSync(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') report(`${path} cannot be read: ${(error as Error).message}.`)
    return {}
  }
}

const readSetting = (owner: string, declaration: SettingDeclaration, sources: readonly Source[], report: Report): ConfigEntry => {
  const { env } = declaration
  const source = sources.find(({ variables }) => variables[env]?.trim() || variables[`${env}_FILE`]?.trim())
  const fallback: ConfigEntry = { owner, env, value: declaration.default, from: 'default', shown: show(declaration, declaration.default) }
  if (!source) return fallback
  const direct = source.variables[env]?.trim()
  const path = source.variables[`${env}_FILE`]?.trim()
  if (direct && path) {
    report(`${env} and ${env}_FILE are both set. Keep one of the two.`)
    return fallback
  }
  const text = path ? readValueFile(`${env}_FILE`, path, report) : direct
  if (text === undefined) return fallback
  const parsed = parseSetting(declaration, text)
  if (!parsed.ok) {
    report(`${path ? `${env}_FILE: the content of ${path}` : env} ${parsed.message}.`)
    return fallback
  }
  return { owner, env, value: parsed.value, from: path ? 'file' : source.from, shown: show(declaration, parsed.value) }
}

const readValueFile = (variable: string, path: string, report: Report): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    report(`${variable} names ${path}, which cannot be read: ${(error as Error).message}.`)
    return undefined
  }
}

const show = (declaration: SettingDeclaration, value: SettingValue): string => {
  if (value === null) return ''
  if (declaration.secret) return '(set)'
  return Array.isArray(value) ? value.join(',') : String(value)
}

const prefix = 'MILLRACE_'

const reportUnknown = (sources: readonly Source[], known: ReadonlySet<string>, report: Report): void => {
  const given = new Set(sources.flatMap(({ variables }) => Object.keys(variables)).filter((variable) => variable.startsWith(prefix)))
  for (const variable of given) {
    if (known.has(variable) || (variable.endsWith('_FILE') && known.has(variable.slice(0, -'_FILE'.length)))) continue
    const near = closest(variable, known)
    report(`${variable} is not a setting.${near ? ` Is ${near} meant?` : ''}`)
  }
}
