import { expect, test } from 'vitest'
import type { App } from '../../../platform/context.ts'
import { writeCookie } from '../../../platform/http/cookies.ts'
import type { RequestFacts } from '../../../platform/http/route.ts'
import { browserCookie, newBrowser, readBrowser } from './browser-cookie.ts'

const appAt = (url: string): App => ({ use: () => ({ url: () => url }) }) as unknown as App
const request = (cookies: { [name: string]: string }): RequestFacts => ({ cookies }) as unknown as RequestFacts

test('over https no sister domain can plant the cookie that a sign-in is known by', () => {
  const app = appAt('https://mill.example')
  const browser = newBrowser()
  expect(writeCookie(browserCookie(app, browser), true)).toBe(
    `__Host-millrace_oidc=${browser}; Path=/; Max-Age=720; HttpOnly; SameSite=Lax; Secure`,
  )
  expect(readBrowser(app, request({ '__Host-millrace_oidc': browser }))).toBe(browser)
  expect(readBrowser(app, request({ millrace_oidc: browser }))).toBeNull()
})

test('only what we made ourselves is taken from the cookie', () => {
  const app = appAt('http://127.0.0.1:3000')
  for (const value of ['', 'x', `${newBrowser()}=`, newBrowser().replace(/^./, '%')])
    expect(readBrowser(app, request({ millrace_oidc: value }))).toBeNull()
  expect(newBrowser()).not.toBe(newBrowser())
})
