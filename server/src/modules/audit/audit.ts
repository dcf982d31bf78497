import type { App, Ctx } from '../../platform/context.ts'
import type { RecordedEvent } from '../../platform/events/event.ts'
import * as users from '../users/users.ts'
import { entryOf, targetsOf } from './entry.ts'
import { exported } from './events.ts'
import { csv, ndjson } from './export.ts'
import type { Activity, Entry, Filter, Format } from './schema.ts'
import * as store from './store.ts'
import type { Chain, EntryRow, Page } from './store.ts'

/** Enters events, each once however often it comes. */
export const enter = async (app: App, events: readonly RecordedEvent[]): Promise<void> => {
  const targets = targetsOf(app.modules)
  const entries = events.map((event) => entryOf(event, targets))
  const erased = entries.flatMap(({ action, target_id }) => (action === 'users.erased' && target_id !== null ? [target_id] : []))
  await app.asSystem('enter events into the audit').tx(async (tx) => {
    await store.insertEntries(tx.db, entries)
    for (const user_id of erased) await store.eraseContent(tx.db, user_id)
  })
}

/** Which entries: those of the caller's workspace, or across workspaces for who may see all. */
export interface Asked {
  readonly of: 'workspace' | 'installation'
  /** Across workspaces: one of them, or `none` for what belongs to none. */
  readonly workspace_id?: string | undefined
  readonly filter: Filter
}

export const list = async (ctx: Ctx, asked: Asked, page: Page): Promise<readonly Entry[]> =>
  named(ctx, await store.listEntries(scoped(ctx, asked).db, chainOf(ctx, asked), asked.filter, page))

export const count = (ctx: Ctx, asked: Asked): Promise<number> =>
  store.countEntries(scoped(ctx, asked).db, chainOf(ctx, asked), asked.filter)

/** The order of a list: by number in one chain, by id across chains. */
export const isOneChain = ({ of, workspace_id }: Pick<Asked, 'of' | 'workspace_id'>): boolean =>
  of === 'workspace' || workspace_id !== undefined

const scoped = (ctx: Ctx, { of }: Asked): Ctx => (of === 'workspace' ? ctx : ctx.asSystem('the admin of the installation reads the audit'))

const chainOf = (ctx: Ctx, { of, workspace_id }: Asked): Chain => {
  if (of === 'workspace') return store.chainOf(ctx.workspace_id)
  if (workspace_id === undefined) return null
  return store.chainOf(workspace_id === 'none' ? null : workspace_id)
}

/** Names are looked up when entries are read: an entry holds none, so an account that is erased is nowhere named. */
const named = async (ctx: Ctx, rows: readonly EntryRow[]): Promise<readonly Entry[]> => {
  const ids = [...new Set(rows.flatMap(({ actor_id, impersonator_id }) => [actor_id, impersonator_id]))].filter((id) => id !== null)
  const emails = await users.emailsOf(ctx.asSystem('name the actors of audit entries'), ids)
  const nameOf = (id: string | null): string | null => (id === null ? null : (emails.get(id) ?? 'erased'))
  return rows.map((row) => ({ ...row, actor_name: nameOf(row.actor_id), impersonator_name: nameOf(row.impersonator_id) }))
}

/** What the caller did and what was done to them, in all workspaces; without what changed, which may be others' business. */
export const activity = async (ctx: Ctx, page: Page): Promise<readonly Activity[]> => {
  const { id } = ctx.principal
  if (id === null) return []
  const rows = await store.entriesAbout(ctx.asSystem('show somebody what they did and what was done to them').db, id, page)
  return rows.map((row) => activityOf(row, id))
}

const activityOf = (row: EntryRow, user_id: string): Activity => {
  const by_me = row.actor_id === user_id
  return {
    id: row.id,
    at: row.at,
    action: row.action,
    by_me,
    impersonated: by_me && row.impersonator_id !== null,
    workspace_id: row.workspace_id,
    address: by_me ? row.address : null,
    user_agent: by_me ? row.user_agent : null,
  }
}

/** The same of anybody and whole, oldest first; in the system's scope. */
export const wholeActivity = async function* (ctx: Ctx, user_id: string): AsyncGenerator<Activity> {
  let after: string | null = null
  for (;;) {
    const rows: readonly EntryRow[] = await store.entriesAbout(ctx.db, user_id, { after, limit: export_page, descending: false })
    for (const row of rows) yield activityOf(row, user_id)
    if (rows.length < export_page) return
    after = rows.at(-1)?.id ?? null
  }
}

const export_page = 500

/** The entries as text, page by page. That somebody reads them is an event, written before the first part. */
export const exportEntries = async function* (
  ctx: Ctx,
  asked: Asked,
  { format, descending }: { readonly format: Format; readonly descending: boolean },
): AsyncGenerator<string> {
  const { of, workspace_id, filter } = asked
  const where = of === 'workspace' ? ctx : ctx.asSystem('enter an export of all workspaces where it belongs: in none')
  await where.tx(async (tx) =>
    tx.emit(exported, { format, of, filter: { ...filter, ...(workspace_id === undefined ? {} : { workspace_id }) } }),
  )
  const form = format === 'csv' ? csv : ndjson
  let after: string | number | null = null
  for (;;) {
    const page: readonly Entry[] = await list(ctx, asked, { after, limit: export_page, descending })
    const part = `${after === null ? form.head : ''}${page.map(form.line).join('')}`
    if (part !== '') yield part
    const last = page.at(-1)
    if (last === undefined || page.length < export_page) return
    after = isOneChain(asked) ? last.seq : last.id
  }
}
