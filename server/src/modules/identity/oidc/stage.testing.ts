import { randomBytes } from 'node:crypto'
import type { TestApp, TestReply } from '../../../test-app.ts'
import { type Browser, type Page, testBrowser } from './browser.testing.ts'

/** A browser at an address that hardly any other has, so that it meets no limit by accident. */
export const newBrowser = (): Browser => {
  const [a, b] = randomBytes(2)
  return testBrowser({ 'x-forwarded-for': `198.19.${a}.${b}` })
}

/** What stands behind the `#` of an address. */
export const fragmentOf = (location: string | null): { readonly [name: string]: string } =>
  location === null ? {} : Object.fromEntries(new URLSearchParams(new URL(location).hash.slice(1)))

/** Sign-ins at a provider that asks nothing and sends the browser straight back. */
export const visitor = (mill: TestApp, provider: string) => {
  const base = `${mill.url}/api/v1/auth/oidc`
  const start = (browser: Browser, body: object = {}) => browser.post(`${base}/${provider}`, body)
  /** Where the provider sends the browser, which does not go there yet. */
  const goThere = async (browser: Browser, body: object = {}): Promise<string> => {
    const { status, body: started } = await start(browser, body)
    if (status !== 200) throw new Error(`The start answered ${status}: ${JSON.stringify(started)}`)
    const { location } = await browser.visit(started.authorization_url)
    if (location === null) throw new Error('The provider does not send back')
    return location
  }
  const comeBack = async (browser: Browser, body: object = {}): Promise<Page> => browser.visit(await goThere(browser, body))
  const exchange = (browser: Browser, code: string | undefined, more: object = {}): Promise<TestReply> =>
    browser.post(`${base}/exchange`, { code, ...more })
  return {
    start,
    goThere,
    comeBack,
    exchange,
    /** All of it; the reply of the exchange. */
    signIn: async (browser: Browser = newBrowser(), body: object = {}): Promise<TestReply> => {
      const page = await comeBack(browser, body)
      const { code, error } = fragmentOf(page.location)
      if (code === undefined) throw new Error(`No code came back: ${page.status} ${error ?? page.text}`)
      return exchange(browser, code)
    },
  }
}
