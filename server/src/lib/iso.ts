/** Unix milliseconds as ISO 8601 in UTC: `2026-11-20T09:50:00.123Z`. */
export const iso = (ms: number): string => new Date(ms).toISOString()
