/** Insertions, deletions, changes and swaps of neighbours between two words (optimal string alignment); above `most`, `most + 1`. */
const distance = (a: string, b: string, most: number): number => {
  let earlier: number[] = []
  let before = Array.from({ length: b.length + 1 }, (_, column) => column)
  let least_before = 0
  for (let row = 1; row <= a.length; row += 1) {
    const now = [row]
    let least_now = row
    for (let column = 1; column <= b.length; column += 1) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1
      let least = Math.min((now[column - 1] as number) + 1, (before[column] as number) + 1, (before[column - 1] as number) + change)
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) least = Math.min(least, (earlier[column - 2] as number) + 1)
      now.push(least)
      if (least < least_now) least_now = least
    }
    // A swap reaches back two rows.
    if (Math.min(least_now, least_before) > most) return most + 1
    earlier = before
    before = now
    least_before = least_now
  }
  return before[b.length] as number
}

/** Names that are compared letter by letter. Whoever has more to choose from is not helped by a guess that takes long. */
const most_compared = 500

/**
 * The name that was probably meant: the one fewest typing errors away, upper and lower case being the same, and at most a third of
 * the word. Undefined when none is near. Looks at no more than some hundred names of about the right length.
 */
export const closest = (name: string, names: Iterable<string>): string | undefined => {
  if (name.length > 64) return undefined
  const wanted = name.toLowerCase()
  let best: string | undefined
  let least = Math.floor(Math.max(name.length, 3) / 3) + 1
  let compared = 0
  for (const each of names) {
    if (Math.abs(each.length - name.length) >= least) continue
    if ((compared += 1) > most_compared) break
    const typos = distance(wanted, each.toLowerCase(), least - 1)
    if (typos >= least) continue
    best = each
    least = typos
    if (typos === 0) break
  }
  return best
}
