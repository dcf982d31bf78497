import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The parts of V8's CPU profile (`.cpuprofile`) that are read here. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const root = join(import.meta.dirname, '..')

const place = (url: string): string => (url.startsWith('file:') ? relative(root, fileURLToPath(url)) : url)

const titled = (frame: CpuProfile['nodes'][number]['callFrame']): string =>
  frame.url === '' ? frame.functionName : `${frame.functionName || '(anonymous)'}  ${place(frame.url)}:${frame.lineNumber + 1}`

/** Milliseconds by function, of itself and with everything it calls, and by file. */
const sum = (profile: CpuProfile) => {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const own = new Map<number, number>()
  profile.samples.forEach((id, index) => own.set(id, (own.get(id) ?? 0) + (profile.timeDeltas[index] ?? 0) / 1000))
  const self = new Map<string, number>()
  const total = new Map<string, number>()
  const files = new Map<string, number>()
  const add = (sums: Map<string, number>, key: string, ms: number): void => void sums.set(key, (sums.get(key) ?? 0) + ms)

  const walk = (id: number, above: ReadonlySet<string>): number => {
    const node = byId.get(id) as CpuProfile['nodes'][number]
    const title = titled(node.callFrame)
    const mine = own.get(id) ?? 0
    add(self, title, mine)
    add(files, place(node.callFrame.url) || node.callFrame.functionName, mine)
    const within = above.has(title) ? above : new Set([...above, title])
    const all = (node.children ?? []).reduce((ms, child) => ms + walk(child, within), mine)
    // A function that calls itself is counted once.
    if (!above.has(title)) add(total, title, all)
    return all
  }
  const [first] = profile.nodes
  if (first !== undefined) walk(first.id, new Set())
  return { self, total, files }
}

const table = (heading: string, sums: ReadonlyMap<string, number>, busy: number, rows: number): string => {
  const lines = [...sums]
    .filter(([title]) => !['(idle)', '(root)'].includes(title))
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, rows)
    .map(([title, ms]) => `${((ms / busy) * 100).toFixed(1).padStart(6)} %  ${title}`)
  return `${heading}\n${lines.join('\n')}`
}

/** Runs `work` in this process under the profiler, when there is a directory for what it says. */
export const profiled = async <T>(directory: string | null, name: string, work: () => Promise<T>): Promise<T> => {
  if (directory === null) return work()
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  const result = await work()
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, `${name}.cpuprofile`), JSON.stringify(profile))
  return result
}

/** Where the busy time of each profile in a directory went, as text. */
export const hottest = async (directory: string): Promise<string> => {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.cpuprofile'))
  const reports = names.map(async (name) => {
    const { self, total, files } = sum(JSON.parse(await readFile(join(directory, name), 'utf8')) as CpuProfile)
    const busy = [...self].reduce((ms, [title, own]) => (title === '(idle)' ? ms : ms + own), 0)
    return [
      `${join(relative(root, directory), name)}: ${Math.round(busy)} ms busy`,
      table('by function, itself', self, busy, 40),
      table('by function, with what it calls', total, busy, 40),
      table('by file', files, busy, 25),
    ].join('\n\n')
  })
  return (await Promise.all(reports)).join('\n\n')
}
