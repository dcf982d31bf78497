// Adds up what the checks and the tests say. What ended badly without saying so counts as one failure.
import { readFileSync } from 'node:fs'

const [, , checksFile, checksCode, testsFile, testsCode] = process.argv

const read = (file) => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

const checks = read(checksFile)
let passed = [...checks.matchAll(/^ok {4} /gm)].length
let failed = [...checks.matchAll(/^FAILED /gm)].length
if (checksCode !== '0' && failed === 0) failed += 1
if (checksCode === '0' && passed === 0) failed += 1

const text = read(testsFile)
const tests = text === '' ? { numPassedTests: 0, numFailedTests: 0, testResults: [] } : JSON.parse(text)
const tests_failed =
  tests.numFailedTests +
  tests.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((each) => each.status === 'failed'),
  ).length
passed += tests.numPassedTests
failed += tests_failed
if ((testsCode !== '0' && tests_failed === 0) || tests.numPassedTests === 0) failed += 1

process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1
