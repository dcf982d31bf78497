import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Gives back what starting took: parsed sources, compiled schemas, the garbage of both. V8 would keep these pages for as long as
 * little happens. Costs one pause of 70–250 ms at the end of the start; resident memory of an idle server falls from 147 to 114 MiB.
 */
export const giveBackBootMemory = (): void => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as NonNullable<typeof globalThis.gc>
  setFlagsFromString('--no-expose-gc')
  collect({ execution: 'sync', flavor: 'last-resort', type: 'major' })
}
