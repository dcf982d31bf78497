import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..', '..')

/** A fenced block of a Markdown page. */
export interface Block {
  /** What stands behind the opening fence: `sh`, `json`. */
  readonly language: string
  readonly text: string
}

/** The fenced blocks of a page of the repository, or of one section of it with everything below, in their order. */
export const blocksOf = (path: string, heading?: string): readonly Block[] => {
  const page = readFileSync(join(root, path), 'utf8')
  const section = heading === undefined ? page : sectionOf(page, heading)
  return [...section.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language = '', text = '']) => ({ language, text }))
}

const sectionOf = (page: string, heading: string): string => {
  const level = /^#+/.exec(heading)?.[0].length ?? 0
  const start = page.indexOf(`\n${heading}\n`)
  if (start < 0) throw new Error(`The page has no section "${heading}".`)
  const rest = page.slice(start + heading.length + 2)
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'))
  return end < 0 ? rest : rest.slice(0, end)
}
