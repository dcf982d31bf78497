import { oneLine } from './address.ts'

/** What a mail says. All of it is plain text: what somebody has typed can stand anywhere. */
export interface Letter {
  readonly subject: string
  /** Above the text; the subject when not given. */
  readonly title?: string
  readonly paragraphs: readonly string[]
  /** The one thing to do. `url` must be http or https. */
  readonly link?: { readonly label: string; readonly url: string }
  /** Below the link, in small print: how long it is good for, what to do if this is a mistake. */
  readonly notes?: readonly string[]
}

/** A mail as `send` takes it. */
export interface Written {
  readonly subject: string
  readonly text: string
  readonly html: string
}

/** Writes a mail in both forms. Nothing in it is loaded from anywhere, and it reads in a light and a dark window alike. */
export const write = (letter: Letter): Written => {
  const { link, notes = [], paragraphs } = letter
  if (link !== undefined && !/^https?:\/\/[^\s"<>]+$/i.test(link.url)) throw new Error('A link in a mail must be an http or https address')
  const title = oneLine(letter.title ?? letter.subject, 200)
  const text = [title, ...paragraphs, ...(link === undefined ? [] : [`${oneLine(link.label, 200)}:\n${link.url}`]), ...notes]
  return { subject: oneLine(letter.subject, 200), text: `${text.map(plain).join('\n\n')}\n`, html: page(letter, title) }
}

/** Line breaks stay; other control characters have no business in a mail. */
const plain = (text: string): string => text.replaceAll(/\r\n?/g, '\n').replaceAll(/[^\P{Cc}\n\t]/gu, '')

const escapes: { readonly [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escape = (text: string): string => plain(text).replaceAll(/[&<>"']/g, (character) => escapes[character] as string)
const lines = (text: string): string => escape(text).replaceAll('\n', '<br>')

// Mail programs read little more than inline styles; those that know dark windows know this much of a style sheet.
const style = `
  :root { color-scheme: light dark; supported-color-schemes: light dark; }
  @media (prefers-color-scheme: dark) {
    body, .page { background: #17191c !important; color: #e9eaec !important; }
    .quiet, .quiet a { color: #a6abb3 !important; }
    .button { background: #7cb1ff !important; color: #10141a !important; }
  }
`

const page = ({ paragraphs, link, notes = [] }: Letter, title: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body class="page" style="margin:0;background:#ffffff;color:#1c1e21;font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif">
<div style="max-width:32em;margin:0 auto;padding:32px 24px">
<h1 style="margin:0 0 16px;font-size:20px;line-height:1.3">${escape(title)}</h1>
${paragraphs.map((text) => `<p style="margin:0 0 16px">${lines(text)}</p>\n`).join('')}${link === undefined ? '' : button(link)}${notes
  .map((text) => `<p class="quiet" style="margin:0 0 8px;font-size:13px;color:#5c6370">${lines(text)}</p>\n`)
  .join('')}</div>
</body>
</html>
`

const button = ({ label, url }: { readonly label: string; readonly url: string }): string =>
  `<p style="margin:24px 0"><a class="button" href="${escape(url)}" style="display:inline-block;padding:10px 20px;border-radius:6px;background:#1f5fbf;color:#ffffff;font-weight:600;text-decoration:none">${escape(oneLine(label, 200))}</a></p>
<p class="quiet" style="margin:0 0 16px;font-size:13px;color:#5c6370;overflow-wrap:anywhere">${escape(url)}</p>
`
