import { Type } from 'typebox'
import { defineJob } from '../../../engine/job.ts'
import { settings } from '../settings.ts'
import { prune } from './kept-store.ts'

const batch = 500

/** Kept calls are there to find out what went wrong lately: the old ones go, and of each workflow those beyond its share. */
export const forgetRequests = defineJob({
  name: 'workflows.forget_requests',
  doc: 'Removes calls of webhooks that were kept for long enough, or are too many.',
  input: Type.Object({}),
  recurring: { every_ms: 3_600_000, input: {} },
  run: async (ctx, { signal }) => {
    const { kept_requests: count, kept_request_bytes: bytes, kept_request_days } = ctx.settings(settings)
    const before = new Date(ctx.now() - kept_request_days * 86_400_000).toISOString()
    let removed = 0
    for (let gone = batch; gone === batch; removed += gone) {
      signal.throwIfAborted()
      gone = await ctx.tx((tx) => prune(tx.db, { before, count, bytes, batch }))
    }
    return { removed }
  },
})
