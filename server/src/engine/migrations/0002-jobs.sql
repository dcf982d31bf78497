-- Work of the product itself (`job`) is executed as workflows are, and listed with none of them.
alter table executions drop constraint executions_mode_check;
alter table executions add constraint executions_mode_check check (mode in ('live', 'test', 'job'));

-- An execution that only waits for a time far off is in no process's hands and takes up no room: it sleeps until `wake_at`.
alter table executions add column wake_at timestamptz(3);
drop index executions_unfinished;
create index executions_unfinished on executions (worker_id, id) where finished_at is null and wake_at is null;
create index executions_asleep on executions (wake_at) where wake_at is not null;

-- When a job that recurs is due next. Whoever starts it moves it on.
create table engine_schedules (
  job text primary key,
  next_at timestamptz(3) not null
);
call millrace.protect('engine_schedules', 'false');
