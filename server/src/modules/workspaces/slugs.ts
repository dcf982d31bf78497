/** The name as a slug, and if that is taken, with the random end of the id. Letters with marks lose them: `Müller & Söhne` is `muller-sohne`. */
export const slugCandidates = (name: string, id: string): readonly string[] => {
  const slug = name
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 35)
    .replace(/-+$/, '')
  const usable = slug === '' ? 'workspace' : slug
  return [usable, `${usable}-${id.slice(-4)}`, `${usable}-${id.slice(-12)}`]
}
