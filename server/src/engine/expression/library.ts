import { codingFunctions } from './library/coding.ts'
import { collectionFunctions } from './library/collection.ts'
import type { LibraryFunction } from './library/function.ts'
import { textFunctions } from './library/text.ts'
import { timeFunctions } from './library/time.ts'

/** Every function that an expression may call, by name; a name with a dot belongs to a namespace. */
export const library: ReadonlyMap<string, LibraryFunction> = new Map(
  Object.entries({ ...textFunctions, ...collectionFunctions, ...timeFunctions, ...codingFunctions }),
)

export const namespaces: ReadonlySet<string> = new Set(
  [...library.keys()].flatMap((name) => (name.includes('.') ? [name.slice(0, name.indexOf('.'))] : [])),
)
