import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { jobs } from '../../engine/jobs.ts'
import { testApp, type TestApp } from '../../test-app.ts'
import { deliver } from './delivery.ts'
import { send, write } from './mail.ts'
import { openPostOffice, type PostOffice, refuse } from './post-office.testing.ts'

let ahead_ms = 0
/** Runs, and can be put forward. */
const clock = { now: () => Date.now() + ahead_ms }
const hour_ms = 3_600_000
const patient = { timeout: 10_000, interval: 25 }

let office: PostOffice
let mill: TestApp
beforeAll(async () => {
  office = await openPostOffice()
  mill = await testApp({ clock, env: envFor(office.port) })
})
afterAll(async () => {
  await mill.close()
  await office.close()
})
const envFor = (port: number) => ({
  SMTP_URL: `smtp://127.0.0.1:${port}`,
  MAIL_FROM: 'Mühle & Co <post@mill.example>',
  SMTP_TIMEOUT_MS: '500',
})
let number = 0
let to = ''
beforeEach(() => {
  number += 1
  to = `reader${number}@example.org`
  delete office.behaviour.onRecipient
  delete office.behaviour.onTaken
})

const letter = {
  subject: 'Grüße aus der Mühle',
  text: 'Ein Sack Mehl — für dich.\n',
  html: '<p>Ein <b>Sack</b> Mehl — für dich.</p>',
  kind: 'test.letter',
}
const sendOn = async (app: TestApp, more: Partial<Parameters<typeof send>[1]> = {}): Promise<string> => {
  const { id } = await app.app.asSystem('a test sends').tx((tx) => send(tx, { ...letter, to, workspace_id: null, ...more }))
  return id
}
const rowOf = async (id: string) => (await mill.database.owner`select * from mails where id = ${id}`)[0]
const become = (id: string, status: string) => expect.poll(async () => (await rowOf(id))?.['status'], patient).toBe(status)
const attempted = (id: string, times: number) => expect.poll(async () => (await rowOf(id))?.['attempts'], patient).toBe(times)
const toldOf = async (id: string) =>
  (await mill.events()).filter(({ data }) => (data as { mail_id?: string }).mail_id === id).map(({ name }) => name)
const taken = (address = to) => office.taken.filter((mail) => mail.to.includes(address))

test('a mail arrives in both forms, from whom and to whom it should be', async () => {
  const id = await sendOn(mill)
  await become(id, 'sent')
  const [mail, ...others] = taken()
  expect(others).toEqual([])
  expect(mail).toMatchObject({ from: 'post@mill.example', to: [to] })
  expect(mail?.parts).toEqual(
    new Map([
      ['text/plain', letter.text],
      ['text/html', letter.html],
    ]),
  )
  expect(mail?.header('to')).toBe(to)
  expect(mail?.header('from')).toMatch(/^=\?UTF-8\?.*\?= <post@mill\.example>$/)
  expect(mail?.header('subject')).toMatch(/^=\?UTF-8\?/)
  expect(mail?.header('content-type')).toContain('multipart/alternative')
  expect(mail?.header('message-id')).toBe(`<${id}@mill.example>`)
  expect(mail?.header('auto-submitted')).toBe('auto-generated')
  expect(Math.abs(Date.parse(mail?.header('date') ?? '') - clock.now())).toBeLessThan(60_000)
})

test('what stands in a mail is gone once it was sent, and the event log says that it was', async () => {
  const id = await sendOn(mill)
  await become(id, 'sent')
  expect(await rowOf(id)).toMatchObject({ body: null, error: null, attempts: 1, ended_at: expect.any(String) })
  expect(await toldOf(id)).toEqual(['mail.queued', 'mail.sent'])
})

test('a server that is busy is asked again later, for the same mail', async () => {
  let asked = 0
  office.behaviour.onRecipient = () => {
    asked += 1
    if (asked === 1) throw refuse(451, '4.3.2 Too busy')
  }
  const id = await sendOn(mill)
  await attempted(id, 1)
  expect(await rowOf(id)).toMatchObject({ status: 'queued', error: expect.stringContaining('451 4.3.2 Too busy') })
  expect(taken()).toEqual([])
  ahead_ms += 30_000
  await become(id, 'sent')
  expect(await rowOf(id)).toMatchObject({ attempts: 2, error: null })
  expect(taken().map((mail) => mail.header('message-id'))).toEqual([`<${id}@mill.example>`])
})

test('a server that puts strangers off is left alone for as long as it asks', async () => {
  let asked = 0
  office.behaviour.onRecipient = () => {
    asked += 1
    if (asked === 1) throw refuse(451, '4.7.1 Greylisted, please try again in 3000 seconds')
  }
  const id = await sendOn(mill)
  await attempted(id, 1)
  const wake_at = async () => {
    const [row] = await mill.database.owner`select wake_at from executions where id = (select execution_id from mails where id = ${id})`
    return Date.parse(row?.['wake_at'])
  }
  await expect.poll(wake_at, patient).toBeGreaterThan(clock.now() + 2_900_000)
  ahead_ms += 3_000_000
  await become(id, 'sent')
})

test.each([
  ['the recipient', 550, 'No such mailbox'],
  ['the content', 554, 'Looks like spam'],
])('a mail is given up at once when the server refuses %s', async (what, code, message) => {
  if (what === 'the recipient') office.behaviour.onRecipient = () => Promise.reject(refuse(code, message))
  else office.behaviour.onTaken = () => Promise.reject(refuse(code, message))
  const id = await sendOn(mill)
  await become(id, 'failed')
  expect(await rowOf(id)).toMatchObject({ attempts: 1, error: expect.stringContaining(`${code} ${message}`), body: expect.any(String) })
  expect(await toldOf(id)).toEqual(['mail.queued', 'mail.failed'])
  const [event] = (await mill.events()).filter(({ name }) => name === 'mail.failed').slice(-1)
  expect(event?.data).toEqual({ mail_id: id, kind: letter.kind, reply: code })
})

test('a mail that no server has taken for a day is given up', async () => {
  office.behaviour.onRecipient = () => Promise.reject(refuse(452, 'Disk full'))
  const id = await sendOn(mill)
  await attempted(id, 1)
  ahead_ms += 23 * hour_ms
  await attempted(id, 2)
  expect(await rowOf(id)).toMatchObject({ status: 'queued' })
  ahead_ms += hour_ms
  await become(id, 'failed')
  expect(await rowOf(id)).toMatchObject({ attempts: 3, error: expect.stringContaining('452 Disk full') })
})

test('two deliveries of one mail send it once', async () => {
  const id = await sendOn(mill)
  const again = () => mill.app.use(jobs).start({ job: deliver, workspace_id: null, input: { mail_id: id } })
  const started = await Promise.all([again(), again(), again()])
  await become(id, 'sent')
  await Promise.all(
    started.map(({ execution_id }) =>
      expect
        .poll(async () => (await mill.database.owner`select status from executions where id = ${execution_id}`)[0]?.['status'], patient)
        .toBe('succeeded'),
    ),
  )
  expect(taken()).toHaveLength(1)
  expect(await toldOf(id)).toEqual(['mail.queued', 'mail.sent'])
})

test('line breaks in a subject or a kind are no way to further headers or recipients', async () => {
  const id = await sendOn(mill, { subject: 'Hi\r\nBcc: eve@example.org\r\n\r\nBody', text: 'x\r\n.\r\nRCPT TO:<eve@example.org>\r\n' })
  await become(id, 'sent')
  const [mail] = taken()
  expect(mail?.headers.map(([name]) => name)).not.toContain('bcc')
  expect(mail?.header('subject')).toBe('Hi Bcc: eve@example.org Body')
  expect(mail?.to).toEqual([to])
  expect(office.asked).not.toContain('eve@example.org')
  expect(mail?.parts.get('text/plain')).toContain('\n.\nRCPT TO')
})

test('of one kind an address gets ten mails within an hour, and nobody who sends learns of it', async () => {
  const ids: string[] = []
  for (let count = 0; count < 12; count++) ids.push(await sendOn(mill, { to: count % 2 === 0 ? to : to.toUpperCase() }))
  const [other_kind, other_address] = [await sendOn(mill, { kind: 'test.other' }), await sendOn(mill, { to: `other-${to}` })]
  for (const id of [...ids.slice(0, 10), other_kind, other_address]) await become(id, 'sent')
  for (const id of ids.slice(10)) {
    await become(id, 'dropped')
    expect(await rowOf(id)).toMatchObject({ body: null, attempts: 0 })
    expect(await toldOf(id)).toEqual(['mail.queued', 'mail.dropped'])
  }
  ahead_ms += hour_ms
  await become(await sendOn(mill), 'sent')
})

test('a mail that two servers could deliver arrives once', async () => {
  const beside = await testApp({ beside: mill, clock, env: envFor(office.port) })
  const ids = await Promise.all(
    Array.from({ length: 20 }, (_, index) => sendOn(index % 2 === 0 ? mill : beside, { to: `many${index}-${to}` })),
  )
  for (const id of ids) await become(id, 'sent')
  expect(office.taken.filter((mail) => mail.to[0]?.endsWith(to))).toHaveLength(20)
  await beside.close()
})

describe('a server', () => {
  let other: PostOffice | null = null
  let app: TestApp | null = null
  afterEach(async () => {
    await app?.close()
    await other?.close()
    app = null
    other = null
  })
  const servedBy = async (port: number): Promise<TestApp> => (app = await testApp({ clock, env: envFor(port) }))
  const rowIn = async (id: string) => (await (app as TestApp).database.owner`select * from mails where id = ${id}`)[0]
  const tried = (id: string) => expect.poll(async () => (await rowIn(id))?.['attempts'], patient).toBe(1)
  const sent = (id: string) => expect.poll(async () => (await rowIn(id))?.['status'], patient).toBe('sent')

  test('that cannot be reached gets its mails once it can be', async () => {
    const gone = await openPostOffice()
    await gone.close()
    const id = await sendOn(await servedBy(gone.port))
    await tried(id)
    expect(await rowIn(id)).toMatchObject({ status: 'queued', error: expect.stringContaining('ECONNREFUSED') })
    other = await openPostOffice({ port: gone.port })
    ahead_ms += 30_000
    await sent(id)
  })

  test('that says nothing is given its time and no more', async () => {
    const sockets: Socket[] = []
    const silent = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    const id = await sendOn(await servedBy(port))
    await tried(id)
    expect(await rowIn(id)).toMatchObject({ status: 'queued', error: expect.stringMatching(/greeting|timeout/i) })
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => silent.close(resolve))
    other = await openPostOffice({ port })
    ahead_ms += 30_000
    await sent(id)
  })

  test('that is slow has eight connections to it and no more, and what it cannot take soon waits elsewhere', async () => {
    const release = Promise.withResolvers<void>()
    let at_once = 0
    let most = 0
    other = await openPostOffice({ maxClients: 100 })
    other.behaviour.onRecipient = async () => {
      at_once += 1
      most = Math.max(most, at_once)
      await release.promise
      at_once -= 1
    }
    app = await testApp({ clock, env: { ...envFor(other.port), SMTP_TIMEOUT_MS: '60000' } })
    const { database } = app
    const system = app.app.asSystem('a test sends')
    const count = 240
    await system.tx(async (tx) => {
      for (let index = 0; index < count; index++) await send(tx, { ...letter, to: `reader${index}@example.net`, workspace_id: null })
    })
    const asleep = async () => (await database.owner`select id from executions where status = 'waiting'`).length
    await expect.poll(asleep, patient).toBe(count - 8 - 200)
    // What is to wait elsewhere does so before the last of the eight is connected.
    await expect.poll(() => most, patient).toBe(8)
    release.resolve()
    const delivered = async () => (await database.owner`select id from mails where status = 'sent'`).length
    await expect.poll(delivered, { timeout: 20_000 }).toBe(8 + 200)
    ahead_ms += 60_000
    await expect.poll(delivered, { timeout: 20_000 }).toBe(count)
    expect(most).toBe(8)
    expect(new Set(other.taken.map((mail) => mail.to[0])).size).toBe(count)
    expect(other.taken).toHaveLength(count)
  })

  test('that was gone between taking a mail and our noting it gets it once more, and no third time', async () => {
    other = await openPostOffice()
    const env = { ...envFor(other.port), SMTP_TIMEOUT_MS: '20000' }
    const dying = await testApp({ clock, env })
    const has_it = Promise.withResolvers<void>()
    const says_so = Promise.withResolvers<void>()
    let times = 0
    other.behaviour.onTaken = () => {
      times += 1
      has_it.resolve()
      return times === 1 ? says_so.promise : undefined
    }
    const id = await sendOn(dying)
    await has_it.promise
    app = await testApp({ beside: dying, clock, env })
    // As if the process had been killed: nothing of it is journalled any more, and what it held is with nobody.
    await dying.database.owner`
      with dead as (
        update engine_workers
        set state = 'dead', epoch = epoch + 1
        where id = ${dying.app.instance_id}
      )
      update executions
      set worker_id = null, status = 'queued'
      where worker_id = ${dying.app.instance_id} and finished_at is null`
    await sent(id)
    says_so.resolve()
    expect(other.taken.map((mail) => mail.header('message-id'))).toEqual([`<${id}@mill.example>`, `<${id}@mill.example>`])
    expect((await dying.events()).filter(({ name }) => name === 'mail.sent')).toHaveLength(1)
    await app.close()
    app = null
    await dying.close()
  })
})

test('nothing of what stands in a mail is in the event log or the journal', async () => {
  const canary = 'canary-8e41'
  const written = write({ subject: 'Reset', paragraphs: [canary], link: { label: canary, url: `https://mill.example/#token=${canary}` } })
  const id = await sendOn(mill, written)
  await become(id, 'sent')
  expect(taken()[0]?.parts.get('text/plain')).toContain(canary)
  const tables = await mill.database.owner`
    select json_agg(e)::text as text from events as e
    union all select json_agg(r)::text from execution_records as r
    union all select json_agg(x)::text from executions as x
    union all select json_agg(m)::text from mails as m`
  expect(tables.map(({ text }) => (text as string).includes(id))).toEqual([true, true, false, true])
  expect(JSON.stringify(tables)).not.toContain(canary)
})
