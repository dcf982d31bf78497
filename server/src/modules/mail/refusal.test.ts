import { expect, test } from 'vitest'
import { refusalOf } from './refusal.ts'

const thrown = (fields: object, message = 'Something'): Error => Object.assign(new Error(message), fields)

test.each([
  [
    { code: 'EENVELOPE', responseCode: 550, response: '550 5.1.1 No such user' },
    { permanent: true, reply: 550 },
  ],
  [
    { code: 'EMESSAGE', responseCode: 554, response: '554 5.7.1 Spam' },
    { permanent: true, reply: 554 },
  ],
  [
    { code: 'EENVELOPE', responseCode: 452, response: '452 4.2.2 Mailbox full' },
    { permanent: false, reply: 452 },
  ],
  [
    { code: 'EMESSAGE', responseCode: 421, response: '421 Closing' },
    { permanent: false, reply: 421 },
  ],
  [
    { code: 'EAUTH', responseCode: 535, response: '535 5.7.8 Wrong password' },
    { permanent: false, reply: 535 },
  ],
  [
    { code: 'ECONNECTION', responseCode: 554, response: '554 No SMTP service here' },
    { permanent: false, reply: 554 },
  ],
  [
    { code: 'ESOCKET', message: 'connect ECONNREFUSED' },
    { permanent: false, reply: null },
  ],
  [{ code: 'ETLS' }, { permanent: false, reply: null }],
  [{ code: 'EENVELOPE' }, { permanent: true, reply: null }],
])('%j', (fields, refusal) => expect(refusalOf(thrown(fields))).toMatchObject(refusal))

test.each([
  ['451 4.7.1 Greylisted, please try again in 300 seconds', 300_000],
  ['450 4.2.0 Try again after 5 minutes', 300_000],
  ['450 4.2.0 Retry in 99999 min', 4 * 3_600_000],
  ['450 4.2.0 Mailbox busy', 0],
  ['550 5.1.1 Try again in 300 seconds', 0],
])('%s', (response, wait_ms) => {
  expect(refusalOf(thrown({ code: 'EENVELOPE', responseCode: Number(response.slice(0, 3)), response })).wait_ms).toBe(wait_ms)
})

test.each([
  ['Message failed: 550-No\r\n550 thanks\u0000', '550-No\r\n550 thanks\u0000', 'Message failed: 550-No 550 thanks'],
  ['Message failed', '550 No', 'Message failed: 550 No'],
  ['connect ECONNREFUSED 127.0.0.1:25', undefined, 'connect ECONNREFUSED 127.0.0.1:25'],
])('what was tried and what the server says become one line: %j, %j', (message, response, reason) => {
  expect(refusalOf(thrown({ code: 'EMESSAGE', responseCode: 550, response }, message)).reason).toBe(reason)
})
