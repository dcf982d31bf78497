-- What the audit needs of an event beyond what it says: where it came from, what was there before and after, and who acted if somebody
-- acted for another. Columns without a default, so nothing is rewritten; partitions take them from the parent.
alter table events
  add column origin json,
  add column changes json,
  add column impersonator_id uuid;
