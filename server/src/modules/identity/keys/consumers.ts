import { defineConsumer } from '../../../platform/events/consumer.ts'
import { memberRemoved } from '../../workspaces/events.ts'
import { removeKeys } from './keys.ts'

/**
 * Removes the keys that somebody had in a workspace they do not belong to any more. They were refused from the moment of leaving; gone they
 * do not come back to life when their owner is let in again.
 */
export const endKeys = defineConsumer({
  name: 'identity.end_keys',
  delivery: 'durable',
  events: [memberRemoved.name],
  handle: async (app, events) => {
    for (const { data } of events) {
      const { user_id, workspace_id } = data as { readonly user_id: string; readonly workspace_id: string }
      await app
        .asSystem('remove the API keys of somebody who left a workspace', workspace_id)
        .tx((tx) => removeKeys(tx, { user_id, workspace_id }, 'left_workspace'))
    }
  },
})
