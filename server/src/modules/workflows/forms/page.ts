import { createHash } from 'node:crypto'
import { type FormConfig, type FormField, optionsOf } from '../../../engine/nodes/trigger-form.ts'
import { attributes, escapeHtml } from '../../../lib/html.ts'
import { type FieldError, longestOf } from './fields.ts'

/** Fields of the page itself: names that no field of a form can have. */
export const token_field = '_token'
/** Nobody sees it, so only a program fills it in. */
export const trap_field = 'your-website'

const style = `
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; background: #fff; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.25 }
.text { white-space: pre-line }
.field { margin: 1.25rem 0 0 }
label { display: block; font-weight: 600 }
.check label { display: inline; font-weight: 400 }
input, textarea, select { font: inherit; width: 100%; box-sizing: border-box; margin-top: .25rem; padding: .5rem; border: 1px solid #767d87; border-radius: 4px; color: inherit; background: transparent }
option { color: #1b1f24; background: #fff }
textarea { min-height: 7rem; resize: vertical }
input[type=checkbox] { width: 1.15rem; height: 1.15rem; margin: 0 .5rem 0 0; vertical-align: middle }
input:focus-visible, textarea:focus-visible, select:focus-visible, button:focus-visible, a:focus-visible { outline: 3px solid #2b8a6f; outline-offset: 1px }
[aria-invalid=true] { border-color: #b3261e; border-width: 2px }
button { font: inherit; min-height: 2.75rem; margin: 1.75rem 0; padding: .5rem 1.5rem; border: 0; border-radius: 4px; background: #0b5d4b; color: #fff; cursor: pointer }
.hint { margin: .25rem 0 0; font-size: .9rem; color: #57606a }
.wrong { margin: .25rem 0 0; font-size: .9rem; color: #b3261e }
.note { padding: .75rem 1rem; border-radius: 4px; color: #1b1f24; background: #fdeaea }
.note a { color: #8c1d18 }
.good { background: #e2f4ee }
.away { position: absolute; left: -10000px; width: 1px; height: 1px; overflow: hidden }
@media (prefers-color-scheme: dark) {
  body { color: #e6e8ea; background: #16191d }
  .hint { color: #9aa3ad }
  .wrong { color: #ffb4ab }
  [aria-invalid=true] { border-color: #ffb4ab }
}
`

/** This style, forms to this origin, and nothing else: whatever a text on the page says, no script of it runs. */
const policy =
  `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; form-action 'self'; ` +
  "base-uri 'none'; frame-ancestors 'none'"

export const pageHeaders: { readonly [name: string]: string } = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': policy,
}

const document = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`

const lines = (text: string, name = 'text'): string => `<p class="${name}">${escapeHtml(text)}</p>`

/** What a page shows of one field. */
interface Shown {
  readonly field: FormField
  readonly typed: string | undefined
  readonly error: string | undefined
  readonly autofocus: boolean
}

const idOf = (name: string): string => `field-${name}`

const control = ({ field, typed = '', error, autofocus }: Shown): string => {
  const { name, type, required, placeholder, description, min, max, integer, min_length } = field
  const id = idOf(name)
  const described = [...(error === undefined ? [] : [`${id}-error`]), ...(description === undefined ? [] : [`${id}-hint`])]
  const common = {
    id,
    name,
    required: required === true || undefined,
    'aria-invalid': error === undefined ? undefined : 'true',
    'aria-describedby': described.length === 0 ? undefined : described.join(' '),
    autofocus: autofocus || undefined,
  } as const
  const length = { minlength: min_length, maxlength: longestOf(field) }
  switch (type) {
    case 'textarea':
      // The first line end after the tag is not part of the text.
      return `<textarea${attributes({ ...common, ...length, placeholder, rows: 5 })}>\n${escapeHtml(typed)}</textarea>`
    case 'select': {
      const empty = `<option value=""${typed === '' ? ' selected' : ''}></option>`
      const options = optionsOf(field).map(
        ({ value, label }) => `<option${attributes({ value, selected: value === typed || undefined })}>${escapeHtml(label)}</option>`,
      )
      return `<select${attributes(common)}>\n${[empty, ...options].join('\n')}\n</select>`
    }
    case 'checkbox':
      return `<input${attributes({ ...common, type, value: 'on', checked: (typed !== '' && typed !== 'false') || undefined })}>`
    case 'number':
      return `<input${attributes({ ...common, type, min, max, step: integer === true ? 1 : 'any', placeholder, value: typed })}>`
    case 'date':
      return `<input${attributes({ ...common, type, min, max, value: typed })}>`
    case 'email':
      return `<input${attributes({ ...common, type, maxlength: longestOf(field), autocomplete: 'email', placeholder, value: typed })}>`
    default:
      return `<input${attributes({ ...common, ...length, type, placeholder, value: typed })}>`
  }
}

const fieldOf = (shown: Shown): string => {
  const { field, error } = shown
  const id = idOf(field.name)
  const optional = field.required === true || field.type === 'checkbox' ? '' : ' <span class="hint">(optional)</span>'
  const label = `<label for="${id}">${escapeHtml(field.label)}${optional}</label>`
  const hint = field.description === undefined ? [] : [`<p class="hint" id="${id}-hint">${escapeHtml(field.description)}</p>`]
  const wrong = error === undefined ? [] : [`<p class="wrong" id="${id}-error">${escapeHtml(error)}</p>`]
  return field.type === 'checkbox'
    ? [`<div class="field check">${control(shown)}${label}`, ...hint, ...wrong, '</div>'].join('\n')
    : [`<div class="field">${label}`, ...hint, control(shown), ...wrong, '</div>'].join('\n')
}

/** What stands in the fields before anybody has typed. */
export const firstTyped = (fields: readonly FormField[]): ReadonlyMap<string, string> =>
  new Map(fields.flatMap(({ name, default: value }) => (value === undefined || value === false ? [] : [[name, String(value)] as const])))

export interface ShownForm {
  readonly form: FormConfig
  readonly token: string
  readonly typed: ReadonlyMap<string, string>
  readonly errors?: readonly FieldError[]
  /** Above the form, where it could not be taken for another reason. */
  readonly note?: string
}

const errorList = (form: FormConfig, errors: readonly FieldError[]): string => {
  const labels = new Map(form.fields.map(({ name, label }) => [name, label]))
  const items = errors.map(
    ({ name, message }) => `<li><a href="#${idOf(name)}">${escapeHtml(labels.get(name) ?? name)}</a>: ${escapeHtml(message)}</li>`,
  )
  const text = errors.length === 1 ? 'One answer needs another look:' : `${errors.length} answers need another look:`
  return `<div class="note" role="alert">${text}<ul>${items.join('')}</ul></div>`
}

/** The form, with what was typed and what is wrong with it. */
export const formPage = ({ form, token, typed, errors = [], note }: ShownForm): string => {
  const wrong = new Map(errors.map(({ name, message }) => [name, message]))
  const first = errors[0]?.name
  const fields = form.fields.map((field) =>
    fieldOf({ field, typed: typed.get(field.name), error: wrong.get(field.name), autofocus: field.name === first }),
  )
  const body = [
    `<h1>${escapeHtml(form.title)}</h1>`,
    ...(form.description === undefined || form.description === '' ? [] : [lines(form.description)]),
    ...(note === undefined ? [] : [`<p class="note" role="alert">${escapeHtml(note)}</p>`]),
    ...(errors.length === 0 ? [] : [errorList(form, errors)]),
    `<form method="post">`,
    `<input${attributes({ type: 'hidden', name: token_field, value: token })}>`,
    `<div class="away" aria-hidden="true"><label>Leave this empty<input${attributes({ name: trap_field, tabindex: '-1', autocomplete: 'off' })}></label></div>`,
    ...fields,
    `<button>${escapeHtml(form.submit_label ?? 'Send')}</button>`,
    '</form>',
  ]
  return document(errors.length === 0 ? form.title : `Not sent yet: ${form.title}`, body.join('\n'))
}

/** After it was sent. */
export const thanksPage = (form: FormConfig, message: string): string =>
  document(
    form.title,
    [`<h1>${escapeHtml(form.title)}</h1>`, `<p class="note good text" role="status">${escapeHtml(message)}</p>`].join('\n'),
  )

/** Where nothing can be filled in. */
export const plainPage = (title: string, text: string): string => document(title, [`<h1>${escapeHtml(title)}</h1>`, lines(text)].join('\n'))
