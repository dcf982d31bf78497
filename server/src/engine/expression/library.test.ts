import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Json } from '../../lib/json.ts'
import { expressionCompiler, newBudget } from './expression.ts'
import { library } from './library.ts'
import { fromWall, toWall } from './library/zone.ts'
import { Fault } from './value.ts'

const evaluate = (text: string, trigger: Json = {}): Json => {
  const compiled = expressionCompiler(new Set(['trigger', 'execution'])).expression(text)
  if (!compiled.ok) throw new Error(`${text} does not compile: ${compiled.error.message}`)
  const execution = { started_at: '2026-03-29T00:30:15.250Z' }
  return compiled.expression.run({ trigger, execution, workspace: {}, vars: {}, output: () => undefined, outputs: () => ({}) }, newBudget())
}

const examples = (table: { readonly [expression: string]: Json }): void => {
  for (const [expression, expected] of Object.entries(table)) expect(evaluate(expression), expression).toEqual(expected)
}

const refuses = (expressions: readonly string[]): void => {
  for (const expression of expressions) expect(() => evaluate(expression), expression).toThrow(Fault)
}

test('text', () => {
  examples({
    '"Straße".upper()': 'STRASSE',
    'upper("a") + lower("B") + " c ".trim()': 'Abc',
    '"Äb".upperAscii() + "ÄB".lowerAscii()': 'ÄBÄb',
    '"a,b,c".split(",")': ['a', 'b', 'c'],
    '"a,b,c".split(",", 2)': ['a', 'b,c'],
    '"a,b,c".split(",", 0)': [],
    '"äb".split("")': ['ä', 'b'],
    '["a", 1, true].join("-")': 'a-1-true',
    '"a.b.c".replace(".", "")': 'abc',
    '"a.b.c".replace(".", "$&", 1)': 'a$&b.c',
    '"a.b.c".replace(".", "-", 0)': 'a.b.c',
    '"ab".replace("", "-")': 'a-b',
    '"refs/heads/main".startsWith("refs/") && "a.png".endsWith(".png") && "abc".contains("b")': true,
    '[1, 2].contains(2.0) && {"a": 1}.contains("a")': true,
    '"order-123".matches("^order-[0-9]+$")': true,
    '"order-123".extract("[0-9]+")': '123',
    '"k=v".extract("(\\\\w)=(\\\\w)")': ['k', 'v'],
    '"none".extract("[0-9]+")': null,
    '"abc".substring(1) + "abc".substring(0, 1)': 'bca',
    '[ "abc".indexOf("c"), "abc".indexOf("x"), "abcb".lastIndexOf("b") ]': [2, -1, 3],
    '"7".padStart(3, "0") + "7".padEnd(2)': '0077 ',
    'string(1.5) + string(true) + string([1]) + string(null) + string({"a": 1})': '1.5true[1]{"a":1}',
    'size("a😀b") + size([1]) + size({"a": 1, "b": 2})': 6,
  })
  refuses(['"a".substring(2)', '"abc".substring(2, 1)', '"a".matches("(")', '[[1]].join()', '"a".padStart(1e9)'])
})

test('lists, objects and numbers', () => {
  examples({
    '[[1, 2].first(), [1, 2].last(), [].first()]': [1, 2, null],
    '{"b": 1, "a": 2}.keys() + [{"b": 1}.values().sum()]': ['b', 'a', 1],
    '{"a": 1, "b": 2}.merge({"b": 3}).omit(["a"]).merge({"c": 1, "d": 1}.pick(["d"]))': { b: 3, d: 1 },
    'sum([1, 2.5]) + avg([1, 3]) + min([3, 1]) + max(1, 4)': 10.5,
    'min("b", "a") + max(["a", "c"])': 'ac',
    'min(timestamp("2026-01-02"), timestamp("2026-01-01"))': '2026-01-01T00:00:00.000Z',
    '[3, 1, 2].sort().reverse().slice(1)': [2, 1],
    '[[1], 2, [3, [4]]].flatten()': [1, 2, 3, [4]],
    '[1, 1.0, "1", [1], [1.0], null, null].distinct()': [1, '1', [1], null],
    'range(3)': [0, 1, 2],
    '[round(1.005, 2), round(-1.5), round(1234, -2), round(2.5), round(1e21, 2)]': [1.01, -2, 1200, 3, 1e21],
    '[floor(-1.5), ceil(1.2), abs(-3)]': [-2, 2, 3],
    '[int("42"), int(3.9), int(-3.9), double("1e3"), number(" 7 "), int(true)]': [42, 3, -3, 1000, 7, 1],
    'bool("true")': true,
    '[type(1), type("a"), type([]), type({}), type(null), type(true), type(timestamp(0))]': [
      'number',
      'string',
      'list',
      'map',
      'null',
      'bool',
      'timestamp',
    ],
  })
  refuses([
    '[].min()',
    '[1, "a"].sum()',
    '[1, "a"].sort()',
    'number("0x10")',
    'number("")',
    'int("1_000")',
    'bool("yes")',
    'range(-1)',
    'round(1, 99)',
  ])
})

test('JSON, base64, hashes and URLs', () => {
  examples({
    'json.encode({"a": [1, timestamp(0)]})': '{"a":[1,"1970-01-01T00:00:00.000Z"]}',
    'json.decode("{\\"a\\": [1.5, null]}").a[0]': 1.5,
    'base64.encode("héllo?>")': 'aMOpbGxvPz4=',
    'base64.decode(base64.encode("héllo"))': 'héllo',
    'base64url.encode("héllo?>") + base64url.decode("aMOpbGxvPz4")': 'aMOpbGxvPz4héllo?>',
    'hash.sha256("é")': createHash('sha256').update('é').digest('hex'),
    'hash.hmac("key", "text")': createHmac('sha256', 'key').update('text').digest('hex'),
    'url.encode("a b&c/ü") + url.decode("a+b%26")': 'a%20b%26c%2F%C3%BCa b&',
    'url.parse("https://user@example.com:8443/a/b?x=1&y=2&y=3#top")': {
      protocol: 'https',
      host: 'example.com',
      port: 8443,
      path: '/a/b',
      query: { x: '1', y: ['2', '3'] },
      fragment: 'top',
    },
    'url.query({"q": "a b", "n": [1, 2], "none": null})': 'q=a+b&n=1&n=2&none=',
  })
  refuses([
    'json.decode("{")',
    'base64.decode("é")',
    'base64.decode("gICA")',
    'url.decode("%E0%A4%A")',
    'url.parse("example.com")',
    'url.query([1])',
  ])
})

test('times are read from what JSON gives, and leave as ISO 8601', () => {
  examples({
    'timestamp("2026-03-29T02:30:00+02:00")': '2026-03-29T00:30:00.000Z',
    'timestamp("2026-03-29")': '2026-03-29T00:00:00.000Z',
    'timestamp("2026-03-29 09:00", "America/New_York")': '2026-03-29T13:00:00.000Z',
    'timestamp(0)': '1970-01-01T00:00:00.000Z',
    'timestamp("0099-12-31T23:59:59.999Z")': '0099-12-31T23:59:59.999Z',
    'execution.started_at.unix() * 1000 <= execution.started_at.millis()': true,
    'timestamp(execution.started_at) + duration("1h30m") - duration("90s")': '2026-03-29T01:58:45.250Z',
    'timestamp("2026-01-02") - timestamp("2026-01-01") == duration("1d")': true,
    'timestamp("2026-01-02") > timestamp("2026-01-01")': true,
    'duration("1h1m1s500ms")': '3661.5s',
    '[duration("90m").getHours(), duration("90m").getMinutes(), duration(1500).getMilliseconds()]': [1, 90, 1500],
    '[execution.started_at.getFullYear(), execution.started_at.getMonth(), execution.started_at.getDate(), execution.started_at.getDayOfWeek()]':
      [2026, 2, 29, 0],
    '[execution.started_at.getHours(), execution.started_at.getHours("Europe/Vienna"), execution.started_at.getHours("Asia/Kolkata")]': [
      0, 1, 6,
    ],
    'timestamp("2026-12-31").getDayOfYear()': 364,
  })
  refuses([
    'timestamp("yesterday")',
    'timestamp("2026-02-30")',
    'timestamp("2026-01-01T25:00Z")',
    'timestamp("2026-01-01", "Mars/Olympus")',
    'timestamp("9999-12-31") + duration("48h")',
    'duration("1 hour")',
    'duration("")',
    '"soon".unix()',
  ])
})

test('times are written by pattern, in a zone', () => {
  examples({
    'execution.started_at.format("yyyy-MM-dd\'T\'HH:mm:ss.SSSXXX")': '2026-03-29T00:30:15.250Z',
    'execution.started_at.format("EEEE, d MMMM yyyy, h:mm a xxx", "America/New_York")': 'Saturday, 28 March 2026, 8:30 PM -04:00',
    'execution.started_at.format("dd.MM.yy \'o\'\'clock\'", "Europe/Vienna")': "29.03.26 o'clock",
  })
  refuses(['execution.started_at.format("YYYY")', 'execution.started_at.format("yyyy", "Nowhere")'])
})

test('calendar arithmetic keeps to the clocks of the zone, also when they change', () => {
  examples({
    // Clocks in Vienna go forward on 29 March 2026 at 02:00 and back on 25 October at 03:00.
    'timestamp("2026-03-28 08:00", "Europe/Vienna").add(1, "day", "Europe/Vienna")': '2026-03-29T06:00:00.000Z',
    'timestamp("2026-03-28 08:00", "Europe/Vienna").add(24, "hours")': '2026-03-29T07:00:00.000Z',
    'timestamp("2026-03-28 02:30", "Europe/Vienna").add(1, "day", "Europe/Vienna")': '2026-03-29T01:30:00.000Z',
    'timestamp("2026-10-25 02:30", "Europe/Vienna")': '2026-10-25T00:30:00.000Z',
    'timestamp("2026-10-25 12:00", "Europe/Vienna").startOf("day", "Europe/Vienna")': '2026-10-24T22:00:00.000Z',
    'timestamp("2026-01-31").add(1, "month")': '2026-02-28T00:00:00.000Z',
    'timestamp("2024-02-29").add(-1, "years")': '2023-02-28T00:00:00.000Z',
    'timestamp("2026-08-15T10:20:30Z").startOf("quarter")': '2026-07-01T00:00:00.000Z',
    'timestamp("2026-08-16T10:20:30Z").startOf("week")': '2026-08-10T00:00:00.000Z',
    'timestamp("2026-08-16T10:20:30Z").startOf("hour", "Asia/Kolkata")': '2026-08-16T09:30:00.000Z',
    'timestamp("2026-08-16T10:20:30Z").startOf("year")': '2026-01-01T00:00:00.000Z',
  })
  refuses(['timestamp(0).add(1.5, "days")', 'timestamp(0).add(1, "fortnight")', 'timestamp(0).add(1e9, "years")'])
})

test('wall-clock time leads back to its moment, in any zone', () => {
  const zones = ['Europe/Vienna', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia', 'America/Sao_Paulo', 'UTC']
  fc.assert(
    fc.property(
      fc.date({ min: new Date('1950-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }),
      fc.constantFrom(...zones),
      (date, zone) => {
        const ms = Math.floor(date.getTime() / 1000) * 1000
        const { wall, offset_ms } = toWall(ms, zone)
        const back = fromWall(wall.getTime(), zone)
        // When clocks go back, one reading stands for two moments, and the earlier is meant.
        if (back !== ms) expect([ms - back > 0, toWall(back, zone).wall.getTime()]).toEqual([true, wall.getTime()])
        expect(Math.abs(offset_ms)).toBeLessThanOrEqual(15 * 3_600_000)
      },
    ),
    { numRuns: 500 },
  )
})

test('every function says what it does, and can be called both ways', () => {
  expect(library.size).toBeGreaterThan(60)
  for (const [name, { doc }] of library) expect(doc, name).toMatch(/\.$|`$/)
  expect(evaluate('upper("a") == "a".upper()')).toBe(true)
})
