import { Type } from 'typebox'
import { jobs } from '../../../engine/jobs.ts'
import { defineJob, later } from '../../../engine/job.ts'
import { iso } from '../../../lib/iso.ts'
import { callerId } from '../../../platform/caller.ts'
import type { App, Ctx } from '../../../platform/context.ts'
import { errors } from '../errors.ts'
import * as users from '../users.ts'
import { exportDownloaded, exportReady, exportRequested } from './events.ts'
import type { PersonalExport } from './schema.ts'
import * as store from './store.ts'

const kept_ms = 7 * 86_400_000
const part_chars = 200_000

/** Begins to gather all that is known about the caller. 409 `users.export_running` while that is under way already. */
export const requestExport = (ctx: Ctx): Promise<PersonalExport> => {
  const user_id = callerId(ctx)
  return ctx.asSystem('begin an export that its owner asked for', ctx.workspace_id ?? undefined).tx(async (tx) => {
    const made = await store.insertExport(tx.db, { id: tx.newId(), user_id, created_at: iso(tx.now()) })
    if (made === undefined) throw errors.export_running()
    tx.emit(exportRequested, { user_id, export_id: made.id })
    return made
  })
}

/** The caller's exports of the last week, the newest first. */
export const listExports = (ctx: Ctx): Promise<readonly PersonalExport[]> => store.exportsOf(ctx.db, callerId(ctx))

/** One of them. 404 `users.export_not_found`. */
export const getExport = async (ctx: Ctx, id: string): Promise<PersonalExport> => {
  const found = await store.exportById(ctx.db, id)
  if (found === undefined) throw errors.export_not_found()
  const { user_id: _, ...shown } = found
  return shown
}

/** Its text, in parts: one JSON object. 404 `users.export_not_found`, 409 `users.export_running`. */
export const download = async (ctx: Ctx, id: string): Promise<AsyncIterable<string>> => {
  const { status } = await getExport(ctx, id)
  if (status !== 'ready') throw errors.export_running()
  await ctx.tx(async (tx) => tx.emit(exportDownloaded, { user_id: callerId(ctx), export_id: id }))
  return partsOf(ctx, id)
}

async function* partsOf(ctx: Ctx, id: string): AsyncGenerator<string> {
  for (let seq = 0; ; seq += 1) {
    const part = await store.partOf(ctx.db, id, seq)
    if (part === undefined) return
    yield part.body
  }
}

/** Starts the job of an export. May come twice: the second run finds it done. */
export const startExport = async (app: App, workspace_id: string | null, export_id: string): Promise<void> => {
  await app.use(jobs).start({ job: writeExport, workspace_id, input: { export_id } })
}

export const writeExport = defineJob({
  name: 'users.export',
  doc: 'Gathers what every module knows of an account into an export, and removes that a week later.',
  input: Type.Object({ export_id: Type.String({ format: 'uuid' }) }),
  timeout_ms: 600_000,
  run: async (ctx, { input: { export_id } }) => {
    const row = await store.exportById(ctx.db, export_id)
    if (row === undefined) return { removed: true }
    if (row.expires_at === null) {
      await write(ctx, export_id, row.user_id)
      throw later(kept_ms)
    }
    const left_ms = Date.parse(row.expires_at) - ctx.now()
    if (left_ms > 0) throw later(left_ms)
    await ctx.tx((tx) => store.deleteExport(tx.db, export_id))
    return { removed: true }
  },
})

/** An attempt that was cut off left parts; they go first. */
const write = async (ctx: Ctx, export_id: string, user_id: string): Promise<void> => {
  const user = await users.byId(ctx, user_id)
  if (user === null) return
  await ctx.tx((tx) => store.deleteParts(tx.db, export_id))
  let seq = 0
  let size_bytes = 0
  for await (const body of inParts(textOf(ctx, user))) {
    await ctx.tx((tx) => store.insertPart(tx.db, { export_id, seq, body }))
    seq += 1
    size_bytes += Buffer.byteLength(body)
  }
  await ctx.tx(async (tx) => {
    const now = tx.now()
    await store.finishExport(tx.db, export_id, { status: 'ready', size_bytes, finished_at: iso(now), expires_at: iso(now + kept_ms) })
    tx.emit(exportReady, { user_id, export_id })
  })
}

/** `{"exported_at": …, "data": {"profile": […], "sessions": […], …}}`, section by section in the order of the modules. */
async function* textOf(ctx: Ctx, user: { readonly id: string; readonly email: string }): AsyncGenerator<string> {
  yield `{"exported_at":${JSON.stringify(iso(ctx.now()))},"data":{`
  let first = true
  for (const { name, read } of ctx.modules.flatMap(({ personal_data = [] }) => personal_data)) {
    yield `${first ? '' : ','}\n${JSON.stringify(name)}:[`
    first = false
    yield* items(await read(ctx, user))
    yield ']'
  }
  yield '}}\n'
}

async function* items(rows: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<string> {
  let first = true
  for await (const row of rows) {
    yield `${first ? '' : ','}\n${JSON.stringify(row)}`
    first = false
  }
}

/** The same text in pieces of about one size. */
async function* inParts(text: AsyncIterable<string>): AsyncGenerator<string> {
  let part = ''
  for await (const piece of text) {
    part += piece
    if (part.length < part_chars) continue
    yield part
    part = ''
  }
  if (part !== '') yield part
}
