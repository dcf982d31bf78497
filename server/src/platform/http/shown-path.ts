/** Keys and tokens of the product: `mlr_…`, `mlro_…`, `mlri_…`. */
const ours = /mlr[a-z]?_[\w-]{8,}/g

/**
 * A path as logs and replies may show it. Some calls have a token in their path, and one that was refused may still work; the rest of the path
 * stays, so that the line can be understood.
 */
export const shownPath = (path: string): string => {
  const plain = path.includes('%') ? decoded(path) : path
  const masked = plain.replaceAll(ours, '[redacted]')
  return masked === plain ? path : masked
}

const decoded = (path: string): string => {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
