interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Makes work on one thing out of work on many: what comes in one turn of the event loop is done together, and what comes while `at_once`
 * pieces of work are under way waits for the next. `work` answers as many results as it was given items, in their order; when it
 * fails, all of them have failed.
 */
export const batched = <Item, Result>(
  { most, at_once }: { readonly most: number; readonly at_once: number },
  work: (items: readonly Item[]) => Promise<readonly Result[]>,
): ((item: Item) => Promise<Result>) => {
  const queue: Waiting<Item, Result>[] = []
  let under_way = 0
  let called = false

  const begin = async (): Promise<void> => {
    const batch = queue.splice(0, most)
    under_way++
    try {
      const results = await work(batch.map(({ item }) => item))
      if (results.length !== batch.length) throw new Error(`${batch.length} items of work have ${results.length} results`)
      batch.forEach(({ resolve }, index) => resolve(results[index] as Result))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    under_way--
    go()
  }
  const go = (): void => {
    called = false
    while (queue.length > 0 && under_way < at_once) void begin()
  }
  return (item) =>
    new Promise((resolve, reject) => {
      queue.push({ item, resolve, reject })
      if (called || under_way >= at_once) return
      called = true
      setImmediate(go)
    })
}
