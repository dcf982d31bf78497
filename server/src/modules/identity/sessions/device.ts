const browsers: readonly (readonly [RegExp, string])[] = [
  [/\bEdg(?:e|A|iOS)?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bChrome\/|\bCriOS\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
]

const systems: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
]

/** A `User-Agent` in words for the person whose session it is: `Firefox on Linux`, `curl`, `unknown`. */
export const deviceOf = (user_agent: string | null): string => {
  if (user_agent === null || user_agent.trim() === '') return 'unknown'
  const find = (list: readonly (readonly [RegExp, string])[]): string | undefined => list.find(([pattern]) => pattern.test(user_agent))?.[1]
  const browser = find(browsers)
  const system = find(systems)
  if (browser === undefined) return system ?? (user_agent.split(/[/\s]/)[0] as string).slice(0, 60)
  return system === undefined ? browser : `${browser} on ${system}`
}
