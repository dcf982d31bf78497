import { parseArgs } from 'node:util'
import { createApp } from './app.ts'
import { isUuid } from './lib/id.ts'
import { type Head, installation_chain } from './modules/audit/chain.ts'
import { type Breach, type ChainReport, type Problem, verifyAudit } from './modules/audit/verify.ts'
import { modules } from './modules.ts'
import { codeOf } from './platform/database/errors.ts'
import { StartError } from './platform/start-error.ts'
import { roles } from './roles.ts'

const usage = `audit verify [--json] [--expect <chain>:<seq>:<hash>]…

Recomputes the chains of the audit, from the first entry of each to its head, and says the first thing that is wrong with one. A head as it
is printed can be kept elsewhere and given again: the chain must hold it still. <chain> is the id of a workspace, or "installation".

Exit code 0: every chain is whole; 1: one is broken, or the database cannot be read; 2: this was not understood.
`

/** `audit verify`. Answers the exit code. */
export const audit = async (rest: readonly string[]): Promise<number> => {
  const asked = parse(rest)
  if (asked === null) {
    process.stderr.write(usage)
    return 2
  }
  // What it finds goes to stdout; everything else must not stand in between.
  const log_to = { write: (line: string) => void process.stderr.write(line) }
  const app = createApp({ modules, roles, env: process.env, env_file: '.env', log_to })
  try {
    const { system } = await app.database()
    const chains = await verifyAudit(system, { expected: asked.expected }).catch((error: unknown) => {
      throw codeOf(error) === '42P01' ? noAudit(error) : error
    })
    const ok = chains.every(({ breach }) => breach === null)
    process.stdout.write(asked.json ? `${JSON.stringify({ ok, chains })}\n` : told(chains))
    return ok ? 0 : 1
  } finally {
    await app.stop()
  }
}

const noAudit = (cause: unknown): StartError =>
  new StartError('The database has no audit yet.', 'It is made by the first start of a server that has one, or by "migrate".', cause)

interface Asked {
  readonly json: boolean
  readonly expected: readonly Head[]
}

const parse = (rest: readonly string[]): Asked | null => {
  try {
    const { positionals, values } = parseArgs({
      args: [...rest],
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, expect: { type: 'string', multiple: true, default: [] } },
    })
    const expected = values.expect.map(headOf).filter((head) => head !== null)
    if (positionals.join(' ') !== 'verify' || expected.length < values.expect.length) return null
    return { json: values.json, expected }
  } catch (error) {
    if (String(codeOf(error)).startsWith('ERR_PARSE_ARGS')) return null
    throw error
  }
}

const headOf = (text: string): Head | null => {
  const [name = '', seq = '', hash = '', ...more] = text.split(':')
  const chain = name === 'installation' ? installation_chain : name.toLowerCase()
  if (!isUuid(chain) || !/^[1-9]\d{0,14}$/.test(seq) || !/^[0-9a-f]{64}$/i.test(hash) || more.length > 0) return null
  return { chain, seq: Number(seq), hash: hash.toLowerCase() }
}

const nameOf = (chain: string): string => (chain === installation_chain ? 'installation' : chain)

const told = (chains: readonly ChainReport[]): string => {
  const broken = chains.filter(({ breach }) => breach !== null)
  const lines = chains.map(({ chain, seq, hash, erased, breach }) =>
    breach === null ? `whole   ${nameOf(chain)}:${seq}:${hash}${erased === 0 ? '' : `  (${erased} erased)`}` : `BROKEN  ${saidOf(breach)}`,
  )
  const sum = broken.length === 0 ? `All ${chains.length} chains are whole.` : `${broken.length} of ${chains.length} chains are broken.`
  return `${[...lines, sum].join('\n')}\n`
}

const saidOf = ({ chain, seq, id, problem }: Breach): string =>
  `${nameOf(chain)} at entry ${seq}${id === null ? '' : ` (${id})`}: ${problems[problem]}`

const problems: { readonly [problem in Problem]: string } = {
  changed: 'it does not say any more what it said when it was entered',
  content_missing: 'what it held was taken away, and no account of it was erased',
  missing: 'it is not there',
  inserted: 'it was put in later',
  out_of_order: 'it does not follow the one before it',
  tail_missing: 'it and those after it, up to the head, are not there',
  head_wrong: 'the head of the chain does not agree with it',
  not_as_expected: 'it is not the one that was noted',
}
