// Generated from the migrated database by `npm run generate`. Do not edit.

// oxlint-disable-next-line typescript/no-empty-object-type
export interface Database {}
