import type { PersonalData } from '../../platform/module.ts'
import { liveSessions } from './store.ts'

/** What the module knows of a person beside their account; it goes with the row of that. */
export const personalData: readonly PersonalData[] = [
  {
    name: 'sessions',
    doc: 'Where the account is signed in.',
    read: async (ctx, { id: user_id }) =>
      (await liveSessions(ctx.db, user_id, new Date(ctx.now()).toISOString())).map(
        ({ id, address, user_agent, created_at, last_seen_at, expires_at }) => ({
          id,
          address,
          user_agent,
          created_at,
          last_seen_at,
          expires_at,
        }),
      ),
  },
  {
    name: 'sign_in_networks',
    doc: 'Where the account was signed in to within 90 days.',
    read: (ctx, { id }) => ctx.db.selectFrom('sign_in_networks').select(['network', 'last_seen_at']).where('user_id', '=', id).execute(),
  },
  {
    name: 'api_keys',
    doc: 'The API keys of the account, without the keys.',
    read: (ctx, { id }) =>
      ctx.db
        .selectFrom('api_keys')
        .select(['id', 'name', 'permissions', 'workspace_id', 'expires_at', 'last_used_at', 'last_used_address', 'created_at'])
        .where('user_id', '=', id)
        .execute(),
  },
  {
    name: 'identities',
    doc: 'The accounts elsewhere that sign in to this one.',
    read: (ctx, { id }) =>
      ctx.db.selectFrom('identities').select(['issuer', 'subject', 'email', 'created_at']).where('user_id', '=', id).execute(),
  },
  {
    name: 'passkeys',
    doc: 'The passkeys of the account, without their keys.',
    read: (ctx, { id }) => ctx.db.selectFrom('passkeys').select(['id', 'name', 'created_at']).where('user_id', '=', id).execute(),
  },
]
