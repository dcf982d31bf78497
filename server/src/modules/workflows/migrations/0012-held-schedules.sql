-- When a schedule would have fired next, while its workflow is paused: what it does about the times it missed is decided when that is resumed.
alter table workflow_schedules add column held_at timestamptz(3);
