import { reply, type RequestFacts } from '../../../platform/http/route.ts'
import { setRefreshCookie } from './refresh-cookie.ts'
import type { Client, Tokens } from './sessions.ts'

export const clientOf = (request: RequestFacts): Client => ({ address: request.ip, user_agent: request.user_agent })

/** A refresh token goes out one way only: in the reply, or in a cookie that no script can read. */
export const signedIn = (status: number, { refresh_expires_in, refresh_token, ...tokens }: Tokens, use_cookie: boolean) =>
  reply({
    status,
    headers: { 'cache-control': 'no-store' },
    body: { ...tokens, refresh_token: use_cookie ? null : refresh_token },
    ...(use_cookie ? { cookies: [setRefreshCookie(refresh_token, refresh_expires_in)] } : {}),
  })
