interface Waiting<Value> {
  readonly resolve: (value: Value | null) => void
  readonly reject: (error: unknown) => void
}

/**
 * Makes a look-up of one out of a look-up of many: what is asked for while a read is under way waits for the next one, so any number of
 * callers cost one read at a time, of at most `most`.
 */
export const gathered = <Value>(
  most: number,
  read: (ids: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): ((id: string) => Promise<Value | null>) => {
  const queue = new Map<string, Waiting<Value>[]>()
  let reading = false

  const next = async (): Promise<void> => {
    const batch = [...queue].slice(0, most)
    for (const [id] of batch) queue.delete(id)
    try {
      const found = await read(batch.map(([id]) => id))
      for (const [id, waiting] of batch) for (const { resolve } of waiting) resolve(found.get(id) ?? null)
    } catch (error) {
      for (const [, waiting] of batch) for (const { reject } of waiting) reject(error)
    }
  }
  const work = async (): Promise<void> => {
    reading = true
    while (queue.size > 0) await next()
    reading = false
  }
  return (id) =>
    new Promise((resolve, reject) => {
      const waiting = queue.get(id)
      if (waiting === undefined) queue.set(id, [{ resolve, reject }])
      else waiting.push({ resolve, reject })
      if (!reading) void work()
    })
}
