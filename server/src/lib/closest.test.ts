import { expect, test } from 'vitest'
import { closest } from './closest.ts'

const names = ['data.set', 'flow.if', 'flow.merge', 'http.request', 'name', 'email']

test('a typing error, a swap or another case leads to the name that was meant', () => {
  expect(['data.sett', 'flow.fi', 'http.Request', 'htp.reqest', 'nmae', 'NAME', 'emial'].map((name) => closest(name, names))).toEqual([
    'data.set',
    'flow.if',
    'http.request',
    'http.request',
    'name',
    'name',
    'email',
  ])
})

test('a word that is like none of them leads nowhere', () => {
  expect(['x', 'total', 'constructor', '', 'n'.repeat(10_000)].map((name) => closest(name, names))).toEqual(Array(5).fill(undefined))
})
