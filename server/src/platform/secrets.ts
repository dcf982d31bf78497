import { randomBytes } from 'node:crypto'
import type { Sql, TransactionSql } from 'postgres'
import type { App } from './context.ts'
import { createMasterKey, findMasterKey, type MasterKey } from './master-key.ts'
import { keyIdOf, masterKey, seal, SealBroken, type SealingKey, unseal } from './sealing.ts'
import { defineService } from './service.ts'
import { settings } from './settings.ts'
import { StartError } from './start-error.ts'

export interface Secrets {
  /**
   * Encrypts a text for storage in a row of its owner. `context` says what it is and whose (`integrations/<id>`): the same has to
   * be given to open it, so a value copied into another row does not open there.
   */
  readonly seal: (context: string, plain: string) => string
  /** Throws `SealBroken` for another context, or a value that was altered. */
  readonly open: (context: string, sealed: string) => Promise<string>
  /** The product's own secret of that name, made at the first call. All processes of a database get the same one. */
  readonly getOrCreate: (name: string, make: () => string) => Promise<string>
  /** Replaces a secret of the product's own, if it still is `expected`. False when another process was faster. */
  readonly replace: (name: string, expected: string, next: string) => Promise<boolean>
  /** From now on this process encrypts under a new key, the others once they start anew. What older keys encrypted still opens. */
  readonly rotate: () => Promise<void>
}

/**
 * Encryption of what is stored, in two layers: values under data keys, data keys under the master key of the configuration.
 * A server whose master key does not open the database's data keys refuses to start.
 */
export const secrets = defineService<Secrets>({
  name: 'secrets',
  create: async (app) => {
    const { system: sql } = app.database
    const master = await openDatabaseKeys(app, sql)
    const keys = await readKeys(sql, master)
    const addKey = (key: SealingKey): void => void keys.set(key.id, key)
    const youngest = (): SealingKey => [...keys.values()].reduce((a, b) => (a.id > b.id ? a : b))

    const keyFor = async (sealed: string): Promise<SealingKey> => {
      const id = keyIdOf(sealed)
      // Another process may have made a key since this one started.
      if (!keys.has(id)) (await readKeys(sql, master)).forEach(addKey)
      const key = keys.get(id)
      if (!key) throw new SealBroken()
      return key
    }
    const sealText = (context: string, plain: string): string => seal(youngest(), context, Buffer.from(plain))
    const openText = async (context: string, sealed: string): Promise<string> => unseal(await keyFor(sealed), context, sealed).toString()

    return {
      seal: sealText,
      open: openText,
      getOrCreate: async (name, make) => {
        const stored = (await readSecret(sql, name)) ?? (await insertSecret(sql, name, sealText(secretContext(name), make())))
        return openText(secretContext(name), stored)
      },
      replace: async (name, expected, next) => {
        const stored = await readSecret(sql, name)
        if (stored === null || (await openText(secretContext(name), stored)) !== expected) return false
        return updateSecret(sql, name, stored, sealText(secretContext(name), next))
      },
      rotate: async () => addKey(await insertKey(sql, app, master)),
    }
  },
})

const secretContext = (name: string): string => `secrets/${name}`
const keyContext = (id: string): string => `secret_keys/${id}`

interface KeyRow {
  readonly id: string
  readonly wrapped: string
}

/** Finds the master key, makes sure that it opens every data key, and makes the first data key of a new database. */
const openDatabaseKeys = async (app: App, sql: Sql): Promise<MasterKey> => {
  const { secret_key, secret_key_previous, data_dir } = app.settings(settings)
  const previous = secret_key_previous ? masterKey(secret_key_previous) : null
  const found = await findMasterKey(secret_key, data_dir)
  if (found && fits(await listKeys(sql), found)) return found

  // Two servers that start on a new database at the same moment would each make a first key.
  return sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended('millrace.secret_keys', 0))`
    const rows = await listKeys(tx)
    const master = found ?? (rows.length === 0 ? await createMasterKey(data_dir) : null)
    if (!master) throw keyMissing()
    if (rows.length === 0) await insertKey(tx, app, master)
    for (const row of rows) {
      if (keyIdOf(row.wrapped) === master.id) continue
      if (!previous || keyIdOf(row.wrapped) !== previous.id) throw keyDiffers(master, keyIdOf(row.wrapped))
      await tx`update secret_keys set wrapped = ${wrap(master, unwrap(previous, row))} where id = ${row.id}`
      app.log.info({ key_id: row.id }, 'moved a data key over to the new secret key')
    }
    return master
  })
}

const fits = (rows: readonly KeyRow[], master: SealingKey): boolean =>
  rows.length > 0 && rows.every((row) => keyIdOf(row.wrapped) === master.id)

const wrap = (master: SealingKey, key: SealingKey): string => seal(master, keyContext(key.id), key.bytes)

const unwrap = (master: SealingKey, row: KeyRow): SealingKey => ({ id: row.id, bytes: unseal(master, keyContext(row.id), row.wrapped) })

const keyMissing = (): StartError =>
  new StartError(
    'The database holds encrypted secrets, and this server has no key to them.',
    'Set MILLRACE_SECRET_KEY to the key of the server that made them, or copy its secret.key into the data directory.',
  )

const keyDiffers = (master: MasterKey, wanted: string): StartError =>
  new StartError(
    `The secret key from ${master.from} (${master.id}) does not fit the database, whose secrets are encrypted under another one (${wanted}).`,
    'Set MILLRACE_SECRET_KEY to that other key. To change the key, give the new one as MILLRACE_SECRET_KEY and the old one as MILLRACE_SECRET_KEY_PREVIOUS.',
  )

const readKeys = async (sql: Sql, master: SealingKey): Promise<Map<string, SealingKey>> =>
  new Map((await listKeys(sql)).map((row) => [row.id, unwrap(master, row)]))

const listKeys = (sql: Sql | TransactionSql): Promise<readonly KeyRow[]> => sql<KeyRow[]>`
  select id, wrapped
  from secret_keys
  order by id`

const insertKey = async (sql: Sql | TransactionSql, app: App, master: SealingKey): Promise<SealingKey> => {
  const key: SealingKey = { id: app.newId(), bytes: randomBytes(32) }
  await sql`
    insert into secret_keys (id, wrapped)
    values (${key.id}, ${wrap(master, key)})`
  return key
}

const readSecret = async (sql: Sql, name: string): Promise<string | null> => {
  const [row] = await sql<{ sealed: string }[]>`
    select sealed
    from secrets
    where name = ${name}`
  return row?.sealed ?? null
}

/** Answers what is stored: the given one, or that of a process that was faster. */
const insertSecret = async (sql: Sql, name: string, sealed: string): Promise<string> => {
  await sql`
    insert into secrets (name, sealed)
    values (${name}, ${sealed})
    on conflict (name) do nothing`
  return (await readSecret(sql, name)) as string
}

const updateSecret = async (sql: Sql, name: string, expected: string, sealed: string): Promise<boolean> => {
  const rows = await sql`
    update secrets
    set sealed = ${sealed}, updated_at = now()
    where name = ${name} and sealed = ${expected}
    returning name`
  return rows.length === 1
}
