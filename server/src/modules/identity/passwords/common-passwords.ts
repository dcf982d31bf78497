import { createRequire } from 'node:module'
import { readFile } from 'node:fs/promises'

/**
 * The 49,000 most common passwords of published breaches (dictionary of zxcvbn-ts, MIT). Held as one sorted text and searched
 * by halves: 0.5 MB instead of the 3 MB of a Set, and only once somebody chooses a password.
 */
export interface CommonPasswords {
  readonly has: (lowerCase: string) => boolean
}

export const commonPasswordsOf = (list: readonly string[]): CommonPasswords => {
  const words = [...new Set(list.map((word) => word.toLowerCase()))].toSorted()
  const text = words.join('\n')
  const starts = new Uint32Array(words.length + 1)
  let at = 0
  words.forEach((word, index) => {
    starts[index] = at
    at += word.length + 1
  })
  starts[words.length] = at
  const count = words.length
  return {
    has: (word) => {
      let low = 0
      let high = count
      while (low < high) {
        const middle = (low + high) >>> 1
        const candidate = text.slice(starts[middle], (starts[middle + 1] as number) - 1)
        if (candidate === word) return true
        if (candidate < word) low = middle + 1
        else high = middle
      }
      return false
    },
  }
}

export const loadCommonPasswords = async (): Promise<CommonPasswords> => {
  const path = createRequire(import.meta.url).resolve('@zxcvbn-ts/language-common/src/passwords.json')
  return commonPasswordsOf(JSON.parse(await readFile(path, 'utf8')) as string[])
}
