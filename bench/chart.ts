import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Line } from './bench.ts'

interface Bar {
  readonly title: string
  readonly ours: number
  readonly ceiling: number
  readonly target: number | null
}

/** What a line says per second: of each figure the one number that a bar can show. */
const rates = ['requests_per_s', 'executions_per_s', 'logins_per_s', 'hashes_per_s']

const rateOf = (facts: Line['measured'] | null): number | null => {
  const rate = rates.map((name) => facts?.[name]).find((value) => typeof value === 'number')
  return rate ?? null
}

const barOf = (line: Line): Bar | null => {
  const ours = rateOf(line.measured)
  const ceiling = rateOf(line.ceiling)
  const { clients, concurrency, login_clients } = line.conditions as { readonly [name: string]: number | undefined }
  if (ours === null || ceiling === null || (line.figure === 'login' && line.met === null)) return null
  return { title: `${line.figure}, ${clients ?? concurrency ?? login_clients} at once`, ours, ceiling, target: rateOf(line.target) }
}

const number = new Intl.NumberFormat('en')
const row_height = 46
const left = 170
const width = 460

const draw = (bar: Bar, index: number): string => {
  const y = 44 + index * row_height
  const scale = width / Math.max(bar.ours, bar.ceiling, bar.target ?? 0)
  const at = (value: number): string => (value * scale).toFixed(1)
  const mark = bar.target === null ? '' : `<path class="target" d="M${left + bar.target * scale} ${y - 3}v32"/>`
  return `
  <text x="${left - 10}" y="${y + 17}" text-anchor="end">${bar.title}</text>
  <rect class="ours" x="${left}" y="${y}" width="${at(bar.ours)}" height="15" rx="2"/>
  <rect class="ceiling" x="${left}" y="${y + 17}" width="${at(bar.ceiling)}" height="9" rx="2"/>
  ${mark}
  <text x="${left + width + 12}" y="${y + 12}">${number.format(bar.ours)}/s</text>
  <text class="small" x="${left + width + 12}" y="${y + 25}">of ${number.format(bar.ceiling)}/s</text>`
}

/** Bars of what is measured above those of the ceiling of the same run, the target as a line. Each row has a scale of its own. */
export const chartOf = (lines: readonly Line[], machine: string): string => {
  const bars = lines.map(barOf).filter((bar) => bar !== null)
  const height = 44 + bars.length * row_height + 10
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 ${height}" font-family="system-ui, sans-serif" font-size="13">
  <style>
    text { fill: #24292f } .small { font-size: 11px; fill: #57606a } .ours { fill: #0f766e } .ceiling { fill: #b6c2cc }
    .target { stroke: #c2410c; stroke-width: 2; fill: none }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9da7b1 } .ours { fill: #2dd4bf } .ceiling { fill: #4b5563 } .target { stroke: #fb923c } }
  </style>
  <text x="10" y="16" font-weight="600">Millrace, the bare ceiling below it, the target as a line</text>
  <text class="small" x="10" y="33">${machine}</text>${bars.map(draw).join('')}
</svg>
`
}

interface Result {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string; readonly postgres: string }
  readonly lines: readonly Line[]
}

const order = ['webhook', 'steps', 'read', 'login']

/** Draws `chart.svg` from the results in a directory. */
export const drawChart = async (directory: string): Promise<void> => {
  const names = (await readdir(directory)).filter((name) => order.includes(name.replace('.json', '')))
  const results = await Promise.all(
    names
      .toSorted((a, b) => order.indexOf(a.replace('.json', '')) - order.indexOf(b.replace('.json', '')))
      .map(async (name) => JSON.parse(await readFile(join(directory, name), 'utf8')) as Result),
  )
  const [first] = results
  if (first === undefined) return
  const { cpu, cores, node, postgres } = first.machine
  const machine = `${cores} cores of ${cpu} for load generator, server and database · Node ${node} · PostgreSQL ${postgres}, commits durable`
  await writeFile(
    join(directory, 'chart.svg'),
    chartOf(
      results.flatMap(({ lines }) => lines),
      machine,
    ),
  )
}
