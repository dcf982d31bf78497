import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

const pages = globSync('**/*.md', { cwd: root, exclude: ['**/node_modules/**', 'data/**', 'coverage/**'] })

/** Code shows what a link looks like without being one. */
const withoutCode = (text: string): string => text.replaceAll(/^(```|~~~)[^]*?^\1/gm, '').replaceAll(/`[^`\n]*`/g, '')

/** The targets of a page's links and images, those with a scheme left out: `[a](b)`, `[a]: b`, `<a href="b">`. */
const linksOf = (text: string): readonly string[] =>
  [...withoutCode(text).matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)|^\s*\[[^\]]+\]:\s*<?(\S+?)>?\s*$|\s(?:href|src)="([^"]+)"/gm)]
    .map(([, inline, reference, html]) => inline ?? reference ?? html ?? '')
    .filter((target) => !/^[a-z][a-z+.-]*:/i.test(target))

/** The names under which the headings of a page can be reached, as GitHub makes them. */
const anchorsOf = (text: string): ReadonlySet<string> => {
  const seen = new Map<string, number>()
  return new Set(
    [...text.replaceAll(/^(```|~~~)[^]*?^\1/gm, '').matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading = '']) => {
      const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
      const name = words.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-')
      const times = seen.get(name) ?? 0
      seen.set(name, times + 1)
      return times === 0 ? name : `${name}-${times}`
    }),
  )
}

/** What is wrong with the links of a page, one sentence each. */
const brokenLinks = (path: string, text: string): readonly string[] =>
  linksOf(text).flatMap((target) => {
    const [file = '', anchor] = target.split('#', 2)
    const place = file === '' ? join(root, path) : join(root, dirname(path), decodeURIComponent(file))
    if (relative(root, place).startsWith('..')) return [`${path} links to ${target}, which is outside of the repository`]
    if (!existsSync(place)) return [`${path} links to ${target}, which is not there`]
    if (anchor === undefined || !place.endsWith('.md')) return []
    const there = anchorsOf(file === '' ? text : readFileSync(place, 'utf8'))
    return there.has(anchor) ? [] : [`${path} links to ${target}, and there is no such heading`]
  })

test('every link between the pages, and from them to the code, leads somewhere', () => {
  expect(pages).toContain('README.md')
  const texts = pages.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
  expect(texts.flatMap(({ text }) => linksOf(text)).length).toBeGreaterThan(20)
  expect(texts.flatMap(({ path, text }) => brokenLinks(path, text))).toEqual([])
})

test('a link to nothing, to a missing heading or out of the repository is told, and code is no link', () => {
  const page = `# A page
[there](README.md#quick-start) ![there](LICENSE) [own](#a-page) [far](https://example.org/x) \`[code](gone.md)\`
[gone](gone.md) [no heading](README.md#nowhere) [own](#b) [out](../elsewhere)
[named]: docs/gone
<a href="also-gone">x</a>
\`\`\`md
[code](gone.md)
\`\`\`
`
  expect(brokenLinks('README.md', page)).toEqual([
    'README.md links to gone.md, which is not there',
    'README.md links to README.md#nowhere, and there is no such heading',
    'README.md links to #b, and there is no such heading',
    'README.md links to ../elsewhere, which is outside of the repository',
    'README.md links to docs/gone, which is not there',
    'README.md links to also-gone, which is not there',
  ])
})

/** Code that a page quotes from a file, which its fence names: ```ts server/src/app.ts. A line `…` stands for what is left out. */
const quotesOf = (text: string): readonly { readonly file: string; readonly parts: readonly string[] }[] =>
  [...text.matchAll(/^```\w+ (\S+)\n([^]*?)^```$/gm)].map(([, file = '', code = '']) => ({ file, parts: code.split(/^…\n/m) }))

/** The parts that do not stand in the file, each behind the one before it. */
const misquoted = (code: string, parts: readonly string[]): readonly string[] => {
  let from = 0
  return parts.filter((part) => {
    const at = code.indexOf(part, from)
    if (at >= 0) from = at + part.length
    return at < 0
  })
}

test('the code that a page quotes stands in the file that it names', () => {
  const quotes = pages.flatMap((path) => quotesOf(readFileSync(join(root, path), 'utf8')))
  expect(quotes.length).toBeGreaterThan(8)
  for (const { file, parts } of quotes) expect(misquoted(readFileSync(join(root, file), 'utf8'), parts), file).toEqual([])
  expect(misquoted('a\nb\nc\n', ['a\n', 'c\n'])).toEqual([])
  expect(misquoted('a\nb\nc\n', ['c\n', 'a\n'])).toEqual(['a\n'])
})
