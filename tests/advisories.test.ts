import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const path = join(import.meta.dirname, '../docs/explanation/security-model.md')
const [, section = ''] = /\n## What others got wrong\n([^]*?)\n## /.exec(readFileSync(path, 'utf8')) ?? []
const rows = section.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| Mistake'))
const tests = rows.flatMap((row) =>
  [...row.matchAll(/\[([^\]]+)\]\(([^)]+\.test\.ts)\)/g)].map(([, title = '', file = '']) => ({ title, file })),
)

test('each mistake that others made has tests, and they are there under the titles that the page gives them', () => {
  expect(rows.length).toBe(16)
  for (const row of rows) expect(row).toMatch(/\]\(\S+\.test\.ts\)/)
  expect(tests.length).toBeGreaterThan(35)
  const titles = (file: string): string => readFileSync(join(dirname(path), file), 'utf8').replaceAll(String.raw`\'`, "'")
  const missing = tests.filter(({ title, file }) => !new RegExp(`(?:test|\\))\\(['"\`][^\n]*${escaped(title)}`).test(titles(file)))
  expect(missing).toEqual([])
})

const escaped = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)
