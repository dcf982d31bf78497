import { expect, test } from 'vitest'
import { connectionError, connectionOf } from './database-url.ts'

test('the address of a host goes to the driver as it is', () => {
  const url = 'postgres://ann:s%40fe@db.example:5433/mill?sslmode=require'
  expect(connectionOf(url)).toEqual({ url })
})

test('a Unix socket may be named in both forms', () => {
  const socket = { host: '/run/pg', port: 5433, user: 'ann', password: 's@fe', database: 'mill' }
  expect(connectionOf('postgres://ann:s%40fe@%2Frun%2Fpg:5433/mill')).toEqual(socket)
  expect(connectionOf('postgres:///mill?host=/run/pg&port=5433&user=ann&password=s%40fe')).toEqual(socket)
  expect(connectionOf('postgres://%2Frun%2Fpg/mill')).toEqual({ host: '/run/pg', database: 'mill' })
})

test('what keeps the database from being reached is told without the password', () => {
  const url = 'postgres://ann:hunter2@db.example:5433/mill'
  const told = (code: string): string => String(connectionError(Object.assign(new Error('raw'), { code }), url))
  expect(told('ECONNREFUSED')).toContain('(db.example:5433) does not answer.')
  expect(told('ENOTFOUND')).toContain('there is no such host')
  expect(told('28P01')).toContain('does not let ann in')
  expect(told('3D000')).toContain('has no database mill')
  expect(told('DEPTH_ZERO_SELF_SIGNED_CERT')).toContain('(db.example:5433) shows a certificate that is not trusted: raw.')
  for (const code of ['ECONNREFUSED', 'ENOTFOUND', '28P01', '3D000', 'DEPTH_ZERO_SELF_SIGNED_CERT'])
    expect(told(code)).not.toContain('hunter2')
})

test('other errors stay what they are', () => {
  const error = Object.assign(new Error('syntax'), { code: '42601' })
  expect(connectionError(error, 'postgres://db.example/mill')).toBe(error)
})
