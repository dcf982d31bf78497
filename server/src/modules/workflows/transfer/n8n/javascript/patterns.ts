import { Untranslatable } from './cel.ts'

/** A regular expression of JavaScript for RE2. Throws where RE2 has nothing like it. */
export const patternFor = (
  source: string,
  flags: string,
): { readonly pattern: string; readonly groups: number; readonly global: boolean } => {
  if (/\(\?(?:[=!]|<)/.test(source)) throw new Untranslatable('RE2 has no look-around and no groups with names of this form')
  if (/(?:^|[^\\])(?:\\\\)*\\[1-9kcpP]/.test(source)) throw new Untranslatable('RE2 has no back-references')
  const kept = flags.replaceAll(/[^ims]/g, '')
  if (/[^gimsu]/.test(flags)) throw new Untranslatable(`The flag of /${source}/${flags} is not known`)
  const body = source.replaceAll('\\/', '/').replaceAll(/\\u\{?([0-9a-fA-F]{4,6})\}?/g, '\\x{$1}')
  const groups = (
    source
      .replaceAll(/\\./g, '')
      .replaceAll(/\[[^\]]*\]/g, '')
      .match(/\((?!\?)/g) ?? []
  ).length
  return { pattern: (kept === '' ? '' : `(?${kept})`) + body, groups, global: flags.includes('g') }
}

/** The text that a pattern stands for which has nothing but characters in it; null for any other. */
export const plainPattern = (source: string, flags: string): string | null => {
  if (flags.replace('g', '').replace('u', '') !== '' || source === '') return null
  const known: { readonly [escape: string]: string } = { n: '\n', t: '\t', r: '\r' }
  let text = ''
  for (let index = 0; index < source.length; index += 1) {
    const unit = source[index] as string
    if (unit !== '\\') {
      if ('.*+?^$(){}[]|'.includes(unit)) return null
      text += unit
      continue
    }
    const next = source[(index += 1)] ?? ''
    if (/[a-zA-Z0-9]/.test(next) && known[next] === undefined) return null
    text += known[next] ?? next
  }
  return text
}

const tokens: { readonly [token: string]: string } = {
  yyyy: 'yyyy',
  yy: 'yy',
  MMMM: 'MMMM',
  MMM: 'MMM',
  MM: 'MM',
  M: 'M',
  LLLL: 'MMMM',
  LLL: 'MMM',
  LL: 'MM',
  L: 'M',
  dd: 'dd',
  d: 'd',
  EEEE: 'EEEE',
  EEE: 'EEE',
  cccc: 'EEEE',
  ccc: 'EEE',
  HH: 'HH',
  H: 'H',
  hh: 'hh',
  h: 'h',
  mm: 'mm',
  ss: 'ss',
  SSS: 'SSS',
  a: 'a',
  ZZ: 'xxx',
}

/** A pattern of Luxon (its "Table of tokens") for `format()`. */
export const timePattern = (format: string): string =>
  format.replaceAll(/'[^']*'|([A-Za-z])\1*/g, (found) => {
    if (found.startsWith("'")) return found
    if (!Object.hasOwn(tokens, found)) throw new Untranslatable(`"${found}" of the time pattern is not known`)
    return tokens[found] as string
  })
