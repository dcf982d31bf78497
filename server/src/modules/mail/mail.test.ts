import { afterAll, expect, test } from 'vitest'
import type { Ctx } from '../../platform/context.ts'
import { secrets } from '../../platform/secrets.ts'
import { testApp } from '../../test-app.ts'
import * as mail from './mail.ts'

const mill = await testApp()
afterAll(mill.close)
const user = await mill.register('anna')

const asUser = (): Ctx =>
  mill.app.context({
    actor: {
      type: 'user',
      user_id: user.id,
      role: 'user',
      workspace_role: 'owner',
      plan: 'enterprise',
      via: { type: 'session', session_id: user.id },
      impersonator_id: null,
    },
    workspace_id: user.workspace_id,
    request_id: 'test',
  })
const letter = {
  to: 'ben@example.org',
  subject: 'Join\r\nBcc: eve@example.org',
  text: 'canary-text-91c2',
  html: '<p>canary-html-91c2</p>',
  kind: 'workspaces.invitation',
  workspace_id: user.workspace_id,
}
const rowOf = async (id: string) => (await mill.database.owner`select * from mails where id = ${id}`)[0]

test('a mail is put into the post in the transaction of whoever sends it, by a request as well as by the product itself', async () => {
  for (const ctx of [asUser(), mill.app.asSystem('a test sends', user.workspace_id)]) {
    const { id } = await ctx.tx((tx) => mail.send(tx, letter))
    expect(await rowOf(id)).toMatchObject({
      recipient: 'ben@example.org',
      subject: 'Join Bcc: eve@example.org',
      kind: 'workspaces.invitation',
      workspace_id: user.workspace_id,
      message_id: `<${id}@localhost>`,
    })
    expect((await mill.events()).findLast(({ name }) => name === 'mail.queued')?.data).toEqual({ mail_id: id, kind: letter.kind })
  }
})

test('what does not commit is not sent', async () => {
  const before = await mill.database.owner`select id from mails`
  const sent = asUser().tx(async (tx) => {
    await mail.send(tx, letter)
    throw new Error('something else went wrong')
  })
  await expect(sent).rejects.toThrow('something else')
  expect(await mill.database.owner`select id from mails`).toEqual(before)
})

test('what stands in a mail is sealed, for this mail alone', async () => {
  const { id } = await asUser().tx((tx) => mail.send(tx, letter))
  const row = await rowOf(id)
  expect(JSON.stringify(row)).not.toContain('canary')
  const opened = await mill.app.use(secrets).open(`mails/${id}`, row?.['body'])
  expect(JSON.parse(opened)).toEqual({ text: letter.text, html: letter.html })
})

test('a request puts no mail into the post of another workspace', async () => {
  const other = await mill.register()
  await expect(asUser().tx((tx) => mail.send(tx, { ...letter, workspace_id: other.workspace_id }))).rejects.toThrow('row-level security')
})

test('what is no address is refused', async () => {
  const sent = asUser().tx((tx) => mail.send(tx, { ...letter, to: 'ben@example.org\r\nBcc: eve@example.org' }))
  await expect(sent).rejects.toMatchObject({ code: 'mail.address_invalid' })
})
