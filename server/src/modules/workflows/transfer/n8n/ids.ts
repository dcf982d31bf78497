/** Ids for steps: short names that expressions can say, each once. */
export const idMaker = (): ((name: string, suffix?: string) => string) => {
  const taken = new Set([
    'constructor',
    'prototype',
    'valueof',
    'input',
    'trigger',
    'steps',
    'execution',
    'workspace',
    'vars',
    'item',
    'index',
  ])
  return (name, suffix) => {
    const plain = name
      .normalize('NFKD')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '_')
      .replaceAll(/^[^a-z]+|_+$/g, '')
      .slice(0, 40)
    const base = `${plain === '' ? 'step' : plain}${suffix === undefined ? '' : `_${suffix}`}`
    let id = base
    for (let count = 2; taken.has(id); count += 1) id = `${base}_${count}`
    taken.add(id)
    return id
  }
}
