import type { Sql } from 'postgres'
import { contentHashOf, genesis, type Head, hashOf, type StoredEntry } from './chain.ts'

/** What is wrong with a chain, and where first. */
export interface Breach {
  readonly chain: string
  /** The number at which the chain is broken. */
  readonly seq: number
  /** The entry there, where there is one. */
  readonly id: string | null
  readonly problem: Problem
}

export type Problem =
  /** The entry does not say any more what it said when it was entered. */
  | 'changed'
  /** What the entry holds of a person was taken away, and no later entry says that an account was erased. */
  | 'content_missing'
  /** There is no entry of this number. */
  | 'missing'
  /** There is an entry that the chain did not have: a number twice, or one before the first. */
  | 'inserted'
  /** The entry does not follow the one before it. */
  | 'out_of_order'
  /** The chain ends before its head: the last entries were removed. */
  | 'tail_missing'
  /** There are entries after the head, or the head says something else than the last entry. */
  | 'head_wrong'
  /** The chain does not hold the entry that was noted elsewhere. */
  | 'not_as_expected'

export interface ChainReport extends Head {
  /** Entries whose personal content was taken away with their account. */
  readonly erased: number
  readonly breach: Breach | null
}

export interface VerifyOptions {
  /** Heads that were noted elsewhere: the chain must hold each of them still. */
  readonly expected?: readonly Head[]
  /** Entries read at a time. */
  readonly page?: number
}

/**
 * Recomputes every chain from its first entry to its head, page by page. Entries that are added meanwhile are left to the next time. Answers
 * one report a chain; each tells the first breach it found, and a chain that has one is not read further.
 */
export const verifyAudit = async (sql: Sql, { expected = [], page = 1_000 }: VerifyOptions = {}): Promise<readonly ChainReport[]> => {
  const reports: ChainReport[] = []
  for (const end of await endsOf(sql, expected)) {
    const wanted = expected.filter(({ chain }) => chain === end.chain)
    reports.push(await verifyChain(sql, end, wanted, page))
  }
  return reports
}

interface End extends Head {
  /** The highest number of an entry; null when the chain has none. */
  readonly last: number | null
  readonly has_head: boolean
}

/** One statement, one snapshot: entries and heads are committed together. */
const endsOf = async (sql: Sql, expected: readonly Head[]): Promise<readonly End[]> => {
  const chains = JSON.stringify(expected.map(({ chain }) => chain))
  return sql<End[]>`
    with last as (
      select chain, max(seq) as seq
      from audit_entries
      group by chain
    ),
    wanted as (
      select distinct value::uuid as chain from json_array_elements_text(${chains}::text::json)
    )
    select
      coalesce(c.chain, last.chain, wanted.chain) as chain,
      coalesce(c.seq, 0) as seq,
      coalesce(c.hash, ${genesis}) as hash,
      last.seq as last,
      c.chain is not null as has_head
    from audit_chains c
    full join last on last.chain = c.chain
    full join wanted on wanted.chain = coalesce(c.chain, last.chain)
    order by 1`
}

const verifyChain = async (sql: Sql, end: End, expected: readonly Head[], page: number): Promise<ChainReport> => {
  const { chain } = end
  const rest = [...expected].toSorted((a, b) => a.seq - b.seq)
  let at: Head = { chain, seq: 0, hash: genesis }
  let erased = 0
  const report = (problem: Problem | null, seq: number, id: string | null = null): ChainReport => ({
    ...at,
    erased,
    breach: problem === null ? null : { chain, seq, id, problem },
  })
  for await (const entry of entriesOf(sql, end, page)) {
    const problem = (await problemOf(sql, entry, at)) ?? (isExpected(entry, rest) ? null : 'not_as_expected')
    if (problem !== null) return report(problem, problem === 'missing' ? at.seq + 1 : entry.seq, problem === 'missing' ? null : entry.id)
    if (entry.erased_at !== null) erased += 1
    at = { chain, seq: entry.seq, hash: entry.hash }
  }
  if (at.seq < end.seq) return report('tail_missing', at.seq + 1)
  if (end.last !== null && end.last > end.seq) return report('head_wrong', end.seq + 1)
  if (at.hash !== end.hash || (end.last !== null && !end.has_head)) return report('head_wrong', at.seq)
  const unmet = rest.find(({ seq, hash }) => seq > at.seq || (seq === 0 && hash !== genesis))
  return unmet === undefined ? report(null, 0) : report('not_as_expected', unmet.seq)
}

const isExpected = (entry: StoredEntry, expected: readonly Head[]): boolean =>
  expected.every(({ seq, hash }) => seq !== entry.seq || hash === entry.hash)

const problemOf = async (sql: Sql, entry: StoredEntry, before: Head): Promise<Problem | null> => {
  if (entry.seq <= before.seq) return 'inserted'
  if (entry.seq > before.seq + 1) return 'missing'
  if (hashOf(entry) !== entry.hash) return 'changed'
  if (entry.previous_hash !== before.hash) return 'out_of_order'
  if (entry.erased_at !== null) return (await isErased(sql, entry)) ? null : 'content_missing'
  return contentHashOf(entry) === entry.content_hash ? null : 'changed'
}

/** Whether the audit says that one of the accounts that the entry is about was erased; and nothing of the content is left or put back. */
const isErased = async (sql: Sql, entry: StoredEntry): Promise<boolean> => {
  const { salt, address, user_agent, data, before, after, actor_id, target_id } = entry
  if ([salt, address, user_agent, data, before, after].some((field) => field !== null)) return false
  const found = await sql`
    select
    from audit_entries
    where action = 'users.erased' and target_id in (${actor_id}, ${target_id})
    limit 1`
  return found.length > 0
}

/** By number and, should a number be there twice, by id. */
const entriesOf = async function* (sql: Sql, { chain, seq: until }: Head, page: number): AsyncGenerator<StoredEntry> {
  let seq = Number.MIN_SAFE_INTEGER
  let id = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const entries = await sql<StoredEntry[]>`
      select chain, seq, id, at, action, actor_type, actor_id, impersonator_id, target_type, target_id, request_id,
        salt, address, user_agent, data::text, before::text, after::text, erased_at, content_hash, previous_hash, hash
      from audit_entries
      where chain = ${chain}
        and seq <= ${until}
        and (seq, id) > (${seq}, ${id})
      order by seq, id
      limit ${page}`
    yield* entries
    const last = entries.at(-1)
    if (last === undefined || entries.length < page) return
    ;({ seq, id } = last)
  }
}
