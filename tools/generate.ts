import { generateReference } from './generate-reference.ts'
import { generateTypes } from './generate-types.ts'

// Types first: what comes after them is compiled with them.
const check = process.argv.includes('--check')
const types_current = await generateTypes({ check })
const stale = [...(types_current ? [] : ['server/src/platform/database/types.ts']), ...(await generateReference({ check }))]

if (stale.length === 0) process.stdout.write('Generated files are up to date.\n')
else if (check) {
  process.stderr.write(`Out of date: ${stale.join(', ')}. Run \`npm run generate\` and commit what changes.\n`)
  process.exitCode = 1
} else process.stdout.write(`Written: ${stale.join(', ')}.\n`)
