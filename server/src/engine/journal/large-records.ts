import type { App } from '../../platform/context.ts'
import { digestOf } from '../../platform/blobs/blob.ts'
import { blobStore } from '../../platform/blobs/blobs.ts'
import { errors } from '../../platform/blobs/errors.ts'
import { Problem } from '../../platform/errors.ts'
import type { Entry, RecordBody } from './record.ts'

/** A record of which more stands in its row is put into the blob store, where there is one. In characters as JSON. */
export const most_in_row = 256 * 1024

/** Of all executions; in it are folders by the first characters of their ids, which are those of some hours. */
export const all_executions = 'executions'
const shard_chars = 6

/** Holds what is large of an execution. */
export const folderOf = (execution_id: string): string => `${all_executions}/${execution_id.slice(0, shard_chars)}/${execution_id}`

/** By its digest as well: a process that has lost the execution may still be about to put what it believed to be the same record. */
const keyOf = (execution_id: string, seq: number, sha256: string): string => `${folderOf(execution_id)}/${seq}-${sha256.slice(0, 32)}`

/** Puts the body of a record into the blob store; the entry that is answered refers to it. Where it cannot, the entry is as it was. */
export const setAside = async (app: App, entry: Entry): Promise<Entry> => {
  const { execution_id, seq } = entry
  try {
    const blobs = app.use(blobStore)
    if (blobs === null) return entry
    const bytes = Buffer.from(entry.body)
    const digest = digestOf(bytes)
    await blobs.put(keyOf(execution_id, seq, digest.sha256), bytes)
    const body: RecordBody = { blob: digest, at: app.now(), steps: [] }
    return { ...entry, body: JSON.stringify(body) }
  } catch (error) {
    app.log.warn({ err: error, execution_id }, 'a large record could not be put into the blob directory: it stays in the database')
    return entry
  }
}

/** A record as it was handed in. Rejects with `blobs.missing`, `blobs.damaged` or `blobs.unavailable`. */
export const wholeBody = async (app: Pick<App, 'use'>, execution_id: string, seq: number, body: RecordBody): Promise<RecordBody> => {
  if (body.blob === undefined) return body
  const blobs = app.use(blobStore)
  if (blobs === null) throw errors.unavailable({ detail: 'MILLRACE_BLOB_DIRECTORY is not set, and was when this was written.' })
  const bytes = await blobs.get(keyOf(execution_id, seq, body.blob.sha256), body.blob)
  return JSON.parse(bytes.toString()) as RecordBody
}

/** Whether it is one of those. */
export const isUnreadable = (error: unknown): error is Problem =>
  error instanceof Problem && Object.values(errors).some(({ code }) => code === error.code)
