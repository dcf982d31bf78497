/** `https://api.example.com`, `http://10.0.0.5:8080`, `https://*.example.com`: where a credential may go. */
export type Origin = string

/** An entry of `allowed_hosts`: without a scheme it means https, so that no credential travels in the clear by accident. */
export const allowed_host_pattern = '^(https?://)?(\\*\\.)?([a-z0-9_-]+(\\.[a-z0-9_-]+)*|\\[[0-9a-f:.]+\\])(:[0-9]{1,5})?$'

const withScheme = (entry: string): string => (/^https?:\/\//.test(entry) ? entry : `https://${entry}`)

/** The origins that a base URL and further hosts stand for; what cannot be read stands for none. */
export const originsOf = ({
  base_url,
  allowed_hosts = [],
}: {
  readonly base_url?: string | undefined
  readonly allowed_hosts?: readonly string[] | undefined
}): readonly Origin[] => {
  const written = [...(base_url === undefined ? [] : [base_url]), ...allowed_hosts.map(withScheme)]
  return written.flatMap((text) => {
    // A star is no part of a host for every parser of URLs.
    const url = URL.parse(text.replace('://*.', '://'))
    if (url === null) return []
    return [text.includes('://*.') ? url.origin.replace('://', '://*.') : url.origin]
  })
}

/** Whether a URL belongs to one of the origins. A star stands for any number of labels, and for at least one. */
export const isWithin = (origins: readonly Origin[], url: URL): boolean =>
  origins.some((origin) => {
    if (!origin.includes('://*.')) return origin === url.origin
    const rest = URL.parse(origin.replace('://*.', '://'))
    return rest !== null && rest.protocol === url.protocol && rest.port === url.port && url.hostname.endsWith(`.${rest.hostname}`)
  })
