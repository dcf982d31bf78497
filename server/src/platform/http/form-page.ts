import { createHash } from 'node:crypto'
import { attributes, escapeHtml } from '../../lib/html.ts'
import { type RawRoute, rawRoute } from './route.ts'

export interface FormField {
  readonly name: string
  readonly label: string
  readonly type: 'email' | 'password' | 'text' | 'checkbox'
  /** For the browser and its password manager: `new-password`, `one-time-code`. */
  readonly autocomplete?: string
  readonly min_length?: number
  readonly max_length?: number
  /** An optional field that is left empty is not sent. */
  readonly optional?: true
  readonly hint?: string
}

export interface PageForm {
  /** Above the form, when there is more than one. */
  readonly title?: string
  readonly text?: string
  readonly fields: readonly FormField[]
  readonly button: string
  /** What its fields are posted to, as JSON. */
  readonly action: string
  /** Sent along as they are. */
  readonly constants?: { readonly [name: string]: string | boolean }
  /** Shown instead of the forms once it worked. `{email}` is the address in the reply. */
  readonly done: string
  /**
   * Shown, instead of the others, when one of them is answered with this code; `take` names the member of that answer which goes along
   * in place of the token.
   */
  readonly after?: { readonly code: string; readonly take: string }
}

export interface FormPage {
  /** From the root: `/auth/reset`. */
  readonly path: string
  readonly summary: string
  readonly title: string
  readonly text: string
  readonly forms: readonly PageForm[]
}

/**
 * The page behind a link with a token: a form that posts the token, and what is typed, when its button is pressed. Opening it does nothing, so
 * a program that looks at the links of a mail uses none up. The token stands in the fragment of the link (`/auth/reset#token=…`; in
 * the query it is read as well), is taken out of the history at once, and the page is the same for every token: it tells nobody anything.
 * It loads nothing, runs its own script and no other, and talks to this installation alone.
 */
export const formPage = (page: FormPage): RawRoute => {
  const html = htmlOf(page)
  return rawRoute({
    methods: ['GET', 'HEAD'],
    path: page.path,
    summary: page.summary,
    replies: { 200: { description: 'A page', content_type: 'text/html' } },
    handle: (_app, _request, reply) => reply.send(200, headers, html),
  })
}

const style = `
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 3rem auto; padding: 0 1rem; color: #1b1f24; background: #fff }
h1 { font-size: 1.4rem }
h2 { font-size: 1.1rem; margin: 2.5rem 0 0 }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600 }
label.check { font-weight: 400 }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; border: 1px solid #8a929c; border-radius: 4px; color: inherit; background: transparent }
input[type=checkbox] { width: auto; margin-right: .5rem }
button { display: block; font: inherit; margin-top: 1.5rem; padding: .5rem 1.25rem; border: 0; border-radius: 4px; background: #0b5d4b; color: #fff; cursor: pointer }
button:disabled { opacity: .6; cursor: default }
small { color: #57606a }
input + small { display: block; margin-top: .25rem }
#answer { margin-top: 1.25rem; padding: .75rem; border-radius: 4px; color: #1b1f24 }
#answer.good { background: #e2f4ee }
#answer.bad { background: #fdeaea }
@media (prefers-color-scheme: dark) {
  body { color: #e6e8ea; background: #16191d }
  small { color: #9aa3ad }
}
`

const script = `
const forms = [...document.querySelectorAll('form')], answer = document.querySelector('#answer')
const given = (text) => new URLSearchParams(text.slice(1)).get('token')
const token = given(location.hash) ?? given(location.search) ?? ''
history.replaceState(null, '', location.pathname)
const say = (kind, text) => { answer.className = kind; answer.textContent = text; answer.hidden = false }
const show = (wanted) => { for (const form of forms) form.closest('section').hidden = form !== wanted }
const proof = { token }
const bodyOf = (form) => {
  const body = { ...proof, ...JSON.parse(form.dataset.constants) }
  for (const input of form.querySelectorAll('input')) {
    if (input.type === 'checkbox') body[input.name] = input.checked
    else if (input.value.trim() !== '' || input.required) body[input.name] = input.type === 'password' ? input.value : input.value.trim()
  }
  return body
}
const settle = (form, response, body) => {
  if (response.ok) {
    show(null)
    return say('good', form.dataset.done.replace('{email}', () => body.email ?? body.user?.email ?? ''))
  }
  const next = forms.find(({ dataset }) => dataset.code !== undefined && dataset.code === body.code)
  if (next === undefined) return say('bad', [body.detail ?? body.title, ...(body.detail ? [] : body.errors ?? []).map(({ message }) => message)].join(' '))
  delete proof.token
  proof[next.dataset.take] = body[next.dataset.take]
  answer.hidden = true
  show(next)
}
for (const form of forms) form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const buttons = document.querySelectorAll('button')
  for (const button of buttons) button.disabled = true
  try {
    const response = await fetch(form.dataset.action, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(bodyOf(form)) })
    settle(form, response, await response.json())
  } catch { say('bad', 'The server did not answer. Try again.') }
  for (const button of buttons) button.disabled = false
})
if (token === '') { show(null); say('bad', 'This address is not complete. Open the link again, whole.') }
`

const fieldOf = ({ name, label, type, autocomplete, min_length, max_length = 1_024, optional, hint }: FormField, id: string): string => {
  if (type === 'checkbox') return `<label class="check"><input${attributes({ type, name })}>${escapeHtml(label)}</label>`
  const input = attributes({
    id,
    name,
    type,
    autocomplete,
    minlength: min_length,
    maxlength: max_length,
    required: optional ? undefined : true,
  })
  const small = hint === undefined ? '' : `\n<small>${escapeHtml(hint)}</small>`
  return `<label for="${id}">${escapeHtml(label)}${optional ? ' <small>(optional)</small>' : ''}</label><input${input}>${small}`
}

const formOf = (form: PageForm, index: number): string => {
  const { title, text, fields, button, action, constants = {}, done, after } = form
  const data = { action, done, constants: JSON.stringify(constants), code: after?.code, take: after?.take }
  const named = Object.fromEntries(Object.entries(data).map(([name, value]) => [`data-${name}`, value]))
  return [
    `<section${after === undefined ? '' : ' hidden'}>`,
    ...(title === undefined ? [] : [`<h2>${escapeHtml(title)}</h2>`]),
    ...(text === undefined ? [] : [`<p>${escapeHtml(text)}</p>`]),
    `<form method="post"${attributes(named)}>`,
    ...fields.map((field) => fieldOf(field, `${field.name}-${index}`)),
    `<button>${escapeHtml(button)}</button>`,
    '</form>',
    '</section>',
  ].join('\n')
}

const htmlOf = ({ title, text, forms }: FormPage): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(text)}</p>
${forms.map(formOf).join('\n')}
<div id="answer" role="status" hidden></div>
<noscript><p>This page needs JavaScript. Without it: send the token of the link, and what the form asks for, as JSON to <code>POST ${escapeHtml(forms[0]?.action ?? '')}</code>.</p></noscript>
<script>${script}</script>
</body>
</html>
`

const sha256 = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

const headers = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  // Exactly this style and this script, and requests to nobody but us.
  'content-security-policy': `default-src 'none'; style-src ${sha256(style)}; script-src ${sha256(script)}; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'`,
}
