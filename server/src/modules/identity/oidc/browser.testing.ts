/** One page or redirect that a browser got. */
export interface Page {
  readonly status: number
  readonly url: string
  readonly location: string | null
  readonly text: string
  readonly headers: Headers
}

export interface Browser {
  /** One request, with the cookies of the place; redirects are not followed. */
  readonly visit: (url: string, form?: { readonly [field: string]: string }) => Promise<Page>
  /** Sends JSON, as a page of that place does. */
  readonly post: (
    url: string,
    body: unknown,
    headers?: { readonly [name: string]: string },
  ) => Promise<{ readonly status: number; readonly body: any; readonly headers: Headers }> // oxlint-disable-line typescript/no-explicit-any
  /** The value of a cookie of a place. */
  readonly cookie: (url: string, name: string) => string | undefined
  readonly plant: (url: string, name: string, value: string) => void
}

/** Keeps cookies by origin, name and path, as far as the pages here need it. */
export const testBrowser = (common: { readonly [name: string]: string } = {}): Browser => {
  const jars = new Map<string, Map<string, { readonly value: string; readonly path: string }>>()
  const jarOf = (url: string) => {
    const { origin } = new URL(url)
    const jar = jars.get(origin) ?? new Map<string, { value: string; path: string }>()
    jars.set(origin, jar)
    return jar
  }
  const keep = (url: string, headers: Headers): void => {
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
      const name = pair.slice(0, pair.indexOf('='))
      const value = pair.slice(pair.indexOf('=') + 1)
      const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5) ?? '/'
      const gone = attributes.some((attribute) => /^max-age=0$/i.test(attribute)) || value === ''
      if (gone) jarOf(url).delete(name)
      else jarOf(url).set(name, { value, path })
    }
  }
  const cookies = (url: string): { readonly cookie?: string } => {
    const { pathname } = new URL(url)
    const sent = [...jarOf(url)].filter(([, { path }]) => pathname.startsWith(path)).map(([name, { value }]) => `${name}=${value}`)
    return sent.length === 0 ? {} : { cookie: sent.join('; ') }
  }
  const send = async (url: string, init: RequestInit): Promise<Response> => {
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { ...common, ...(init.headers as object), ...cookies(url) } })
    keep(url, response.headers)
    return response
  }
  return {
    visit: async (url, form) => {
      const response = await send(url, form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) })
      const location = response.headers.get('location')
      const absolute = location === null ? null : new URL(location, url).href
      return { status: response.status, url, location: absolute, text: await response.text(), headers: response.headers }
    },
    post: async (url, body, headers = {}) => {
      const response = await send(url, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      })
      return { status: response.status, body: await response.json(), headers: response.headers }
    },
    cookie: (url, name) => jarOf(url).get(name)?.value,
    plant: (url, name, value) => void jarOf(url).set(name, { value, path: '/' }),
  }
}

/** Goes through the pages of a provider as `login`, until it leads elsewhere; answers the address it leads to. */
export const passProvider = async (browser: Browser, authorization_url: string, login: string): Promise<string> => {
  const { origin } = new URL(authorization_url)
  let page = await browser.visit(authorization_url)
  for (let steps = 0; steps < 20; steps += 1) {
    if (page.location !== null) {
      if (new URL(page.location).origin !== origin) return page.location
      page = await browser.visit(page.location)
      continue
    }
    const action = /<form[^>]*action="([^"]+)"/.exec(page.text)?.[1]
    const prompt = /name="prompt" value="([^"]+)"/.exec(page.text)?.[1]
    if (action === undefined || prompt === undefined) throw new Error(`${page.url} answered ${page.status}: ${page.text.slice(0, 500)}`)
    page = await browser.visit(new URL(action, page.url).href, prompt === 'login' ? { prompt, login, password: 'any' } : { prompt })
  }
  throw new Error('The provider leads in circles.')
}
