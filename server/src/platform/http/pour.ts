import type { ServerResponse } from 'node:http'

/** Writes the parts as fast as they are taken, and ends the reply. Stops, and tells the source, when the client is gone. */
export const pour = async (first: IteratorResult<string>, source: AsyncIterator<string>, into: ServerResponse): Promise<void> => {
  for (let part = first; part.done !== true; part = await source.next()) {
    if (into.destroyed) break
    if (!into.write(part.value)) await taken(into)
  }
  if (into.destroyed) await source.return?.()
  else into.end()
}

/** Whoever has left takes nothing more. */
const taken = async (into: ServerResponse): Promise<void> => {
  if (into.destroyed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  into.once('drain', resolve)
  into.once('close', resolve)
  await promise
  into.off('drain', resolve)
  into.off('close', resolve)
}
