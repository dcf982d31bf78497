import type { JsonObject } from '../../../../../lib/json.ts'
import { at, listAt, plain, textAt } from '../parameters.ts'
import type { Adapter, Site } from '../site.ts'
import { pathOf } from './triggers.ts'

const types: { readonly [type: string]: string } = {
  text: 'text',
  textarea: 'textarea',
  number: 'number',
  email: 'email',
  date: 'date',
  dropdown: 'select',
}

/** A name that an expression can say, once in the form. */
const nameFor = (label: string, taken: ReadonlySet<string>): string => {
  const base =
    label
      .normalize('NFKD')
      .replaceAll(/[^A-Za-z0-9]+/g, '_')
      .replaceAll(/^[^A-Za-z]+|_+$/g, '')
      .slice(0, 50)
      .toLowerCase() || 'field'
  let name = base
  for (let count = 2; taken.has(name); count += 1) name = `${base}_${count}`
  return name
}

const fieldOf = (site: Site, field: JsonObject, label: string, name: string): JsonObject => {
  const wanted = textAt(field, 'fieldType') ?? 'text'
  const options = listAt(field, 'fieldOptions.values').map(({ option }) => plain(option).slice(0, 200))
  const known = [...new Set(options.filter((option) => option !== ''))].slice(0, 200)
  const type = types[wanted] ?? 'text'
  if (types[wanted] === undefined) site.left(`Its field ${JSON.stringify(label.slice(0, 100))} (${wanted}) is a plain text here.`)
  if (field['multiselect'] === true) site.changed(`Of ${JSON.stringify(label.slice(0, 100))} one option is chosen, not several.`)
  return {
    name,
    label: label.slice(0, 200),
    type: type === 'select' && known.length === 0 ? 'text' : type,
    ...(field['requiredField'] === true ? { required: true } : {}),
    ...(type === 'select' && known.length > 0 ? { options: known } : {}),
  }
}

const short = (text: string | null, most: number): string | null =>
  text === null || text.trim() === '' || text.startsWith('=') ? null : text.slice(0, most)

/** A page with a form. n8n calls its fields by their labels, expressions here by their names. */
export const form: Adapter = {
  takes: 'trigger',
  make: (site) => {
    const { parameters, node } = site
    const taken = new Set<string>()
    const names: { [label: string]: string | null } = { submittedAt: null, formMode: null }
    const listed = listAt(parameters, 'formFields.values').slice(0, 50)
    const fields = (listed.length === 0 ? [{ fieldLabel: 'Text' }] : listed).map((field: JsonObject, index) => {
      const given = plain(field['fieldLabel']).trim()
      const label = given === '' ? `Field ${index + 1}` : given
      const name = nameFor(label, taken)
      taken.add(name)
      if (label !== '__proto__') names[label] = name
      return fieldOf(site, field, label, name)
    })
    const description = short(textAt(parameters, 'formDescription'), 5_000)
    const button = short(textAt(parameters, 'options.buttonLabel'), 100)
    const thanks = short(textAt(parameters, 'options.respondWithOptions.values.formSubmittedText'), 2_000)
    const waits = (textAt(parameters, 'responseMode') ?? 'onReceived') !== 'onReceived'
    if ((textAt(parameters, 'authentication') ?? 'none') !== 'none')
      site.left('It asked for a user name and a password; here whoever has its address may fill it in.')
    if (at(parameters, 'options.respondWithOptions.values.redirectUrl') !== undefined)
      site.changed('It led to another page when it was sent; here it thanks.')
    site.note('Who fills it in is shown a page of this server; its address is another.')
    const id = site.step({
      type: 'trigger.form',
      config: {
        path: pathOf(site, textAt(parameters, 'path') ?? textAt(parameters, 'options.path') ?? ''),
        title: short(textAt(parameters, 'formTitle'), 200) ?? node.name.slice(0, 200),
        ...(description === null ? {} : { description }),
        fields,
        ...(button === null ? {} : { submit_label: button }),
        ...(thanks === null ? {} : { success_message: thanks }),
        ...(waits ? { respond: 'last_node' } : {}),
      },
    })
    return [{ from: { step: id, port: 'out' }, place: { path: 'trigger.fields', fields: names } }]
  },
}
