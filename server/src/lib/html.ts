const escapes: { readonly [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** A text as it stands in HTML, between tags or in a quoted attribute. */
export const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => escapes[character] as string)

/** ` name="value"` for each; `true` gives the name alone, undefined nothing. */
export const attributes = (values: { readonly [name: string]: string | number | true | undefined }): string =>
  Object.entries(values)
    .flatMap(([name, value]) => (value === undefined ? [] : [value === true ? ` ${name}` : ` ${name}="${escapeHtml(String(value))}"`]))
    .join('')
