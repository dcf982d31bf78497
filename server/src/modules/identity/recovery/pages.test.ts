import { createHash } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { testApp } from '../../../test-app.ts'
import { poster, tokenOf } from './post.testing.ts'

const mill = await testApp()
afterAll(mill.close)
const post = poster(mill)
const paths = ['/setup', '/auth/reset', '/auth/verify-email', '/auth/change-email', '/auth/magic']

const unescape = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&amp;', '&')

test.each(paths)('%s runs its own script and nothing else, loads nothing, and is the same for every token', async (path) => {
  const token = `mlro_${'a'.repeat(43)}`
  const [plain, other] = [await mill.call('GET', path), await mill.call('GET', `${path}?token=${token}&x=<script>alert(1)</script>`)]
  expect(plain.status).toBe(200)
  expect(other.body).toBe(plain.body)
  const policy = plain.headers.get('content-security-policy') as string
  for (const tag of ['script', 'style']) {
    const inline = [...plain.body.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))].map(([, text]) => text as string)
    expect(inline).toHaveLength(1)
    expect(policy).toContain(
      `${tag}-src 'sha256-${createHash('sha256')
        .update(inline[0] as string)
        .digest('base64')}'`,
    )
  }
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toContain('unsafe')
  expect(plain.body).not.toMatch(/\b(?:src|href|onclick|style)=|https?:\/\//)
  expect(plain.headers.get('cache-control')).toBe('no-store')
  expect(plain.headers.get('referrer-policy')).toBe('no-referrer')
  expect(await mill.call('POST', path)).toMatchObject({ status: 405 })
})

test.each(paths)('what the forms of %s send is what their routes take', async (path) => {
  const { body } = await mill.call('GET', path)
  const forms = [...(body as string).matchAll(/<form([^>]*)>([^]*?)<\/form>/g)]
  expect(forms.length).toBeGreaterThan(0)
  for (const [, head = '', inner = ''] of forms) {
    const data = Object.fromEntries([...head.matchAll(/data-(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, unescape(value as string)]))
    const fields = [...inner.matchAll(/<input([^>]*)>/g)].map(([, input]) =>
      Object.fromEntries([...(input as string).matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value])),
    )
    const typed = fields.map(({ name, type }) => [name, type === 'checkbox' ? true : type === 'email' ? 'a@example.org' : '123456'])
    const proof = { [data['take'] ?? 'token']: 'mlro_not-a-good-one' }
    const sent = { ...proof, ...JSON.parse(data['constants'] as string), ...Object.fromEntries(typed) }
    const action = data['action'] as string
    const reply = await post(action.slice('/api/v1/auth/'.length), sent)
    expect(reply.body.code, JSON.stringify(reply.body)).toMatch(/link_invalid|setup_invalid|mfa_challenge_invalid/)
  }
})

test('to open a page, as programs do that look at the links of a mail, uses no link up', async () => {
  const user = await mill.register()
  const token = await tokenOf(mill, user.email, 'email_verification')
  for (const method of ['GET', 'HEAD']) {
    expect((await mill.call(method, `/auth/verify-email?token=${token}`)).status).toBe(200)
    expect((await mill.call(method, `/api/v1/auth/email/verify?token=${token}`)).status).toBe(405)
  }
  expect(await user.call('POST', '/api/v1/auth/email/verify', { body: { token } })).toMatchObject({ status: 200 })
})
