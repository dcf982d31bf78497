import { createHash } from 'node:crypto'
import { rawRoute } from '../../platform/http/route.ts'

const style = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 3rem auto; padding: 0 1rem; color: #1b1f24; background: #fff }
h1 { font-size: 1.4rem }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600 }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; border: 1px solid #8a929c; border-radius: 4px }
button { display: block; font: inherit; margin-top: 1.5rem; padding: .5rem 1.25rem; border: 0; border-radius: 4px; background: #0b5d4b; color: #fff; cursor: pointer }
small { color: #57606a }
input + small { display: block; margin-top: .25rem }
#answer { margin-top: 1.25rem; padding: .75rem; border-radius: 4px }
#answer.good { background: #e2f4ee }
#answer.bad { background: #fdeaea }
`

// The token stays in the address bar's query for a moment only: it is taken out of the history as soon as it was read.
const script = `
const form = document.querySelector('form'), answer = document.querySelector('#answer')
const token = new URLSearchParams(location.search).get('token') ?? ''
history.replaceState(null, '', location.pathname)
const say = (kind, text) => { answer.className = kind; answer.textContent = text; answer.hidden = false }
form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const button = form.querySelector('button'), fields = new FormData(form), name = fields.get('name').trim()
  button.disabled = true
  try {
    const response = await fetch('/api/v1/auth/setup', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, email: fields.get('email'), password: fields.get('password'), ...(name && { name }) }),
    })
    const body = await response.json()
    if (response.ok) { form.hidden = true; say('good', body.user.email + ' is the admin of this installation now. Sign in with POST /api/v1/auth/login.') }
    else say('bad', body.detail ?? body.title)
  } catch { say('bad', 'The server did not answer. Try again.') }
  button.disabled = false
})
`

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Set up Millrace</title>
<style>${style}</style>
</head>
<body>
<h1>Set up Millrace</h1>
<p>Make the account of the first admin. This link works once.</p>
<form method="post" autocomplete="on">
<label for="email">E-mail</label><input id="email" name="email" type="email" autocomplete="username" maxlength="254" required>
<label for="name">Name <small>(optional)</small></label><input id="name" name="name" autocomplete="name" maxlength="200">
<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="new-password" minlength="12" maxlength="1024" required>
<small>12 to 128 characters. A few words in a row are good; well-known passwords are refused.</small>
<button>Make the admin</button>
</form>
<div id="answer" role="status" hidden></div>
<noscript><p>Without JavaScript: send <code>{"token", "email", "password"}</code> as JSON to <code>POST /api/v1/auth/setup</code>.</p></noscript>
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

/** The page behind the one-time link. It is the same for every token, good or bad: it tells nobody anything. */
export const setupPage = rawRoute({
  methods: ['GET', 'HEAD'],
  path: '/setup',
  summary: 'The form that makes the first admin',
  replies: { 200: { description: 'A page', content_type: 'text/html' } },
  handle: (_app, _request, reply) => reply.send(200, headers, page),
})
