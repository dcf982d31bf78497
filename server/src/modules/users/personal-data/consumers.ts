import { defineConsumer } from '../../../platform/events/consumer.ts'
import { startErasure } from './erase.ts'
import { startExport } from './export.ts'

/** What was asked for in a transaction is begun once that has been committed. */
export const beginPersonalData = defineConsumer({
  name: 'users.personal_data',
  delivery: 'durable',
  events: ['users.export.requested', 'users.erasure.requested'],
  handle: async (app, events) => {
    for (const { name, workspace_id, data } of events) {
      const { export_id, user_id } = data as { readonly export_id?: string; readonly user_id: string }
      if (name === 'users.export.requested' && export_id !== undefined) await startExport(app, workspace_id, export_id)
      else await startErasure(app, user_id)
    }
  },
})
