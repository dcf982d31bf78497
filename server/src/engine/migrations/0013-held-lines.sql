-- The workflow is paused: nobody in its lines is admitted until it is resumed.
alter table engine_limits add column held boolean not null default false;
