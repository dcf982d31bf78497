import { createHmac } from 'node:crypto'
import { expect } from 'vitest'
import type { TestUser } from '../../../test-app.ts'

/** What an app takes the access tokens of a project by: for its environment. */
export const supabase = { SUPABASE_JWT_SECRET: 'the-jwt-secret-of-a-supabase-project-for-tests' }

/** An access token of that project. */
export const supabaseToken = (sub: string, more: object = {}): string => {
  const claims = { aud: 'authenticated', role: 'authenticated', sub, exp: Math.floor(Date.now() / 1000) + 3_600, ...more }
  const text = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${text}.${createHmac('sha256', supabase.SUPABASE_JWT_SECRET).update(text).digest('base64url')}`
}

/** Gives an account an identity, through the front door. */
export const linkSupabase = async (user: TestUser): Promise<void> => {
  const body = { token: supabaseToken(`of-${user.id}`), password: user.password }
  expect((await user.call('POST', '/api/v1/auth/identities', { body })).status).toBe(201)
}
