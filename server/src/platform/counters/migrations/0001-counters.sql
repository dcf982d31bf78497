-- Counts that processes share, when they are kept here (MILLRACE_COUNTERS=postgres). Unlogged: nothing of it is worth a wait for the
-- disk with every request. After a crash of PostgreSQL, or on a standby that takes over, it is empty and all windows begin anew.
-- The columns are those that rate-limiter-flexible writes: `expire` in Unix milliseconds.
create unlogged table rate_counters (
  -- A digest: whose counts these are, addresses for one, is nobody's to read.
  key text primary key,
  points bigint not null,
  expire bigint
) with (fillfactor = 50);
create index rate_counters_by_end on rate_counters (expire);
call millrace.protect('rate_counters', 'false');
revoke insert, update, delete on rate_counters from millrace_app;
