import { expect, test } from 'vitest'
import { isPublicAddress, parseAddress } from './address.ts'
import { StartError } from '../start-error.ts'
import { parseAllowList } from './allow.ts'

const isPublic = (text: string): boolean => {
  const address = parseAddress(text)
  return address !== null && isPublicAddress(address)
}

test.each([
  '8.8.8.8',
  '1.1.1.1',
  '172.15.255.255',
  '172.32.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.254',
])('%s is public', (text) => expect(isPublic(text)).toBe(true))

test.each(['2606:4700::1111', '2a00:1450:4001:80b::200e', '::ffff:8.8.8.8', '64:ff9b::808:808'])('%s is public', (text) =>
  expect(isPublic(text)).toBe(true),
)

test.each([
  ['this network', '0.0.0.0'],
  ['this network', '0.255.255.255'],
  ['private', '10.0.0.1'],
  ['shared', '100.64.0.1'],
  ["shared, a cloud's metadata", '100.100.100.200'],
  ['loopback', '127.0.0.1'],
  ['loopback', '127.255.255.254'],
  ['link-local', '169.254.0.1'],
  ['metadata', '169.254.169.254'],
  ['private', '172.16.0.1'],
  ['private', '172.31.255.255'],
  ['protocol assignments', '192.0.0.192'],
  ['documentation', '192.0.2.1'],
  ['6to4 relay', '192.88.99.1'],
  ['private', '192.168.0.1'],
  ['benchmarking', '198.18.0.1'],
  ['benchmarking', '198.19.255.255'],
  ['documentation', '198.51.100.1'],
  ['documentation', '203.0.113.1'],
  ['multicast', '224.0.0.1'],
  ['multicast', '239.255.255.255'],
  ['reserved', '240.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['host agent of a cloud', '168.63.129.16'],
  ['unspecified', '::'],
  ['loopback', '::1'],
  ['IPv4-compatible', '::127.0.0.1'],
  ['IPv4-compatible', '::8.8.8.8'],
  ['IPv4-mapped loopback', '::ffff:127.0.0.1'],
  ['IPv4-mapped metadata', '::ffff:a9fe:a9fe'],
  ['IPv4-translated', '::ffff:0:127.0.0.1'],
  ['NAT64 of a private address', '64:ff9b::10.0.0.1'],
  ['NAT64 of metadata', '64:ff9b::a9fe:a9fe'],
  ['NAT64 for local use', '64:ff9b:1::808:808'],
  ['discard', '100::1'],
  ['Teredo', '2001::1'],
  ['benchmarking', '2001:2::1'],
  ['ORCHID', '2001:20::1'],
  ['documentation', '2001:db8::1'],
  ['6to4 of loopback', '2002:7f00:1::'],
  ['6to4 of a public address', '2002:808:808::1'],
  ['documentation', '3fff::1'],
  ['segment routing', '5f00::1'],
  ['unique local', 'fc00::1'],
  ["unique local, a cloud's metadata", 'fd00:ec2::254'],
  ['link-local', 'fe80::1'],
  ['site-local', 'fec0::1'],
  ['multicast', 'ff02::1'],
  ['unassigned', '4000::1'],
])('%s %s is not public', (_, text) => expect(isPublic(text)).toBe(false))

const address = (text: string) => parseAddress(text) as NonNullable<ReturnType<typeof parseAddress>>

test('an allow-list entry lets through what it names and nothing beside it', () => {
  const allow = parseAllowList([
    'Intranet.Example',
    '*.svc.example',
    'localhost:9000',
    '10.20.0.0/16',
    '192.168.1.7:8080',
    '[::1]:8080',
    'fd00::/8',
  ])
  expect(allow.name('intranet.example', 80)).toBe(true)
  expect(allow.name('INTRANET.example.', 443)).toBe(true)
  expect(allow.name('a.intranet.example', 80)).toBe(false)
  expect(allow.name('intranet.example.evil.example', 80)).toBe(false)
  expect(allow.name('a.svc.example', 80)).toBe(true)
  expect(allow.name('a.b.svc.example', 80)).toBe(true)
  expect(allow.name('svc.example', 80)).toBe(false)
  expect(allow.name('evilsvc.example', 80)).toBe(false)
  expect(allow.name('localhost', 9000)).toBe(true)
  expect(allow.name('localhost', 9001)).toBe(false)
  expect(allow.address(address('10.20.255.255'), 80)).toBe(true)
  expect(allow.address(address('::ffff:10.20.0.1'), 80)).toBe(true)
  expect(allow.address(address('10.21.0.0'), 80)).toBe(false)
  expect(allow.address(address('192.168.1.7'), 8080)).toBe(true)
  expect(allow.address(address('192.168.1.7'), 80)).toBe(false)
  expect(allow.address(address('::1'), 8080)).toBe(true)
  expect(allow.address(address('::1'), 80)).toBe(false)
  expect(allow.address(address('fd12::1'), 80)).toBe(true)
  expect(allow.address(address('127.0.0.1'), 9000)).toBe(false)
})

test('an allow-list with mistakes names all of them, and the server says so instead of starting', () => {
  const parse = () => parseAllowList(['ok.example', '10.0.0.0/99', 'http://x', 'a*b.example', 'host:99999', ''])
  expect(parse).toThrow(/"10\.0\.0\.0\/99".*"http:\/\/x".*"a\*b\.example".*"host:99999".*""/s)
  expect(parse).toThrow(StartError)
  expect(() => parseAllowList(['10.0.0.0/8:80'])).toThrow('"10.0.0.0/8:80": a network is named without a port')
})
