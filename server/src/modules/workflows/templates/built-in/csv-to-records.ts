import { defineTemplate, integrationParameter, parameter, pathParameter, urlParameter } from './define.ts'

/** RFC 4180: fields in quotes may hold commas, line breaks and doubled quotes. */
const source = `export default (_, { trigger }) => {
  const text = String(trigger.body ?? '').replace(/^\\uFEFF/, '')
  const rows = []
  let row = []
  let field = ''
  let quoted = false
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (quoted) {
      if (character !== '"') field += character
      else if (text[at + 1] === '"') {
        field += '"'
        at += 1
      } else quoted = false
    } else if (character === '"' && field === '') quoted = true
    else if (character === ',') {
      row.push(field)
      field = ''
    } else if (character === '\\n') {
      row.push(field.replace(/\\r$/, ''))
      rows.push(row)
      row = []
      field = ''
    } else field += character
  }
  if (quoted) throw new Error('a field in quotes does not end')
  if (field !== '' || row.length > 0) rows.push([...row, field.replace(/\\r$/, '')])
  const [head = [], ...body] = rows.filter((cells) => cells.some((cell) => cell.trim() !== ''))
  const names = head.map((name) => name.trim())
  return body.map((cells, line) => {
    if (cells.length !== names.length) throw new Error('line ' + (line + 2) + ' has ' + cells.length + ' fields, not ' + names.length)
    return Object.fromEntries(names.map((name, column) => [name, cells[column]]))
  })
}
`

export const csvToRecords = defineTemplate({
  id: 'csv-to-records',
  title: 'Turn a CSV file into records',
  description:
    'Takes a CSV file (`Content-Type: text/csv`) whose first line names the columns, and sends each line on as a record, four at a time and each under an `Idempotency-Key` of its own. The answer says how many there were and which failed.',
  category: 'data',
  icon: 'file-type-csv',
  parameters: [
    pathParameter('import/csv'),
    urlParameter('record_url', 'Where records go'),
    integrationParameter('http', 'integration_id', 'Credential of that service', { optional: true }),
  ],
  definition: {
    nodes: [
      { id: 'file', type: 'trigger.webhook', config: { path: parameter('path'), respond: 'last_node' } },
      { id: 'parse', name: 'Read the lines', type: 'data.code', config: { source, timeout_ms: 10_000 } },
      {
        id: 'each',
        type: 'flow.loop',
        config: {
          items: '{{ steps.parse.output }}',
          parallel: 4,
          on_item_error: 'collect',
          body: {
            nodes: [
              {
                id: 'record',
                type: 'http.request',
                config: {
                  method: 'POST',
                  url: parameter('record_url'),
                  integration_id: parameter('integration_id'),
                  body: '{{ item }}',
                },
                retry: { max_attempts: 4, delay_ms: 500 },
              },
            ],
            edges: [],
          },
        },
      },
      {
        id: 'summary',
        type: 'data.set',
        config: {
          values: {
            lines: '{{ size(steps.parse.output) }}',
            sent: '{{ size(steps.parse.output) - size(steps.each.output.errors) }}',
            failed: '{{ steps.each.output.errors.map(e, {"line": e.index + 2, "message": e.message}) }}',
          },
        },
      },
    ],
    edges: [
      { from: 'file', to: 'parse' },
      { from: 'parse', to: 'each' },
      { from: 'each', to: 'summary' },
    ],
  },
  tests: [
    {
      name: 'reads quotes, and says which line failed',
      trigger: {
        node_id: 'file',
        payload: {
          method: 'POST',
          path: 'x',
          headers: {},
          query: {},
          body: 'name,note\n"Ada, Countess","said ""hi"""\nBen,\n',
          raw_id: null,
        },
      },
      replies: {
        'each[0].record': { output: { status: 201, headers: {}, body: null, duration_ms: 4 } },
        'each[1].record': { error: { code: 'http.status', message: 'POST example.org answered 422' } },
      },
      expect: {
        status: 'succeeded',
        output: { lines: 2, sent: 1, failed: [{ line: 3, message: 'POST example.org answered 422' }] },
        steps: {
          parse: [
            { name: 'Ada, Countess', note: 'said "hi"' },
            { name: 'Ben', note: '' },
          ],
        },
      },
    },
    {
      name: 'refuses a file whose lines do not fit its head',
      trigger: { node_id: 'file', payload: { method: 'POST', path: 'x', headers: {}, query: {}, body: 'a,b\n1\n', raw_id: null } },
      expect: { status: 'failed', error: { node_id: 'parse' } },
    },
  ],
})
