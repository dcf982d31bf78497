import { expect, test } from 'vitest'
import { type BlobStore, digestOf } from './blob.ts'

/** What every store of blobs does. `store` answers an empty one. */
export const blobSuite = (store: () => Promise<BlobStore>): void => {
  const bytes = Buffer.from('\u0000grain'.repeat(100_000))

  test('what was put under a key is got whole', async () => {
    const blobs = await store()
    await blobs.put('mill/a/1', bytes)
    expect((await blobs.get('mill/a/1', digestOf(bytes))).equals(bytes)).toBe(true)
  })

  test('putting the same again, also at once, changes nothing', async () => {
    const blobs = await store()
    await Promise.all(Array.from({ length: 40 }, () => blobs.put('mill/a/1', bytes)))
    expect((await blobs.get('mill/a/1', digestOf(bytes))).equals(bytes)).toBe(true)
    expect((await blobs.list('mill/a')).map(({ name }) => name)).toEqual(['1'])
  })

  test('what is not there, or is not what was put, is told apart', async () => {
    const blobs = await store()
    await blobs.put('mill/a/1', bytes)
    await expect(blobs.get('mill/a/2', digestOf(bytes))).rejects.toMatchObject({ code: 'blobs.missing' })
    await expect(blobs.get('mill/a/1', digestOf(bytes.subarray(1)))).rejects.toMatchObject({ code: 'blobs.damaged' })
  })

  test('a folder is listed, and removed with all that is in it and nothing beside it', async () => {
    const blobs = await store()
    for (const key of ['mill/a/1', 'mill/a/2', 'mill/b/1']) await blobs.put(key, bytes)
    expect((await blobs.list('mill')).map(({ name }) => name).toSorted()).toEqual(['a', 'b'])
    await blobs.remove('mill/a')
    await blobs.remove('mill/a')
    await expect(blobs.get('mill/a/1', digestOf(bytes))).rejects.toMatchObject({ code: 'blobs.missing' })
    expect((await blobs.list('mill')).map(({ name }) => name)).toEqual(['b'])
    expect(await blobs.list('elsewhere')).toEqual([])
  })

  test('a key leads to nowhere else', async () => {
    const blobs = await store()
    for (const key of ['', '..', '../a', '/a', 'a//b', 'a/../../b', 'A', '.a', 'a\u0000'])
      await expect((async () => blobs.put(key, bytes))()).rejects.toThrow('no key')
  })
}
