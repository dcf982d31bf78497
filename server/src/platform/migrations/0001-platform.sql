-- What every module's migrations build on: the two roles, the scope that row-level policies read, and the event log.

-- Roles belong to the whole cluster, so several databases that migrate at the same moment may meet here: whoever loses looks again.
do $$
declare
  wanted text;
begin
  for attempt in 1 .. 50 loop
    begin
      foreach wanted in array array['millrace_app', 'millrace_system'] loop
        if not exists (select from pg_roles where rolname = wanted) then
          execute format('create role %I nologin', wanted);
        end if;
        if not exists (
          select
          from pg_auth_members
          where roleid = wanted::regrole
            and member = current_user::regrole
            and set_option
        ) then
          execute format('grant %I to %I with inherit false, set true', wanted, current_user);
        end if;
        if exists (select from pg_roles where rolname = wanted and (rolsuper or rolbypassrls)) then
          raise exception 'the role % must be neither superuser nor BYPASSRLS: it would see every workspace', wanted;
        end if;
      end loop;
      exit;
    exception
      when duplicate_object or unique_violation or internal_error then
        if attempt = 50 then
          raise;
        end if;
        perform pg_sleep(0.01 + random() * 0.05);
    end;
  end loop;
end
$$;

grant usage on schema millrace to millrace_app, millrace_system;
grant usage on schema public to millrace_app, millrace_system;

-- The scope of the running statement. The server sets it with every read and at the start of every transaction; where it is
-- not set, these are null and the policies that compare with them give no row.
create function millrace.current_user_id() returns uuid
language sql stable parallel safe
return nullif(current_setting('millrace.user_id', true), '')::uuid;

create function millrace.current_workspace_id() returns uuid
language sql stable parallel safe
return nullif(current_setting('millrace.workspace_id', true), '')::uuid;

-- Puts a table under row-level security, for its owner too. `app_using` says which rows a request sees, `app_check` which
-- it may write (the same when not given); the product's own work sees all of them.
create procedure millrace.protect(table_name text, app_using text, app_check text default null)
language plpgsql
as $$
declare
  protected regclass := format('public.%I', table_name)::regclass;
begin
  execute format('alter table %s enable row level security', protected);
  execute format('alter table %s force row level security', protected);
  execute format('grant select, insert, update, delete on %s to millrace_app, millrace_system', protected);
  execute format('create policy app on %s to millrace_app using (%s) with check (%s)', protected, app_using, coalesce(app_check, app_using));
  execute format('create policy system on %s to millrace_system using (true) with check (true)', protected);
end
$$;
revoke execute on procedure millrace.protect(text, text, text) from public;

-- Makes the weekly partitions of every table in `public` that is partitioned by a range of UUIDv7: from the week of `from_time`
-- on, `weeks` of them. Answers how many it made. It runs as the owner of the tables, because the product's own role may not
-- create any. A partition takes no grants: rows are reached through the parent, under the parent's policies.
create function millrace.make_partitions(from_time timestamptz, weeks integer) returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  parent record;
  week timestamptz;
  partition text;
  made integer := 0;
begin
  for parent in
    select c.oid, c.relname
    from pg_partitioned_table p
    join pg_class c on c.oid = p.partrelid
    join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
    where p.partstrat = 'r'
      and p.partnatts = 1
      and a.atttypid = 'uuid'::regtype
      and c.relnamespace = 'public'::regnamespace
    order by c.relname
  loop
    for number in 0 .. weeks - 1 loop
      week := date_trunc('week', from_time, 'UTC') + make_interval(weeks => number);
      partition := parent.relname || to_char(week at time zone 'UTC', '"_"IYYY"w"IW');
      continue when to_regclass(format('public.%I', partition)) is not null;
      begin
        execute format('create table public.%I (like public.%I including all)', partition, parent.relname);
        execute format('alter table public.%I enable row level security', partition);
        execute format('alter table public.%I force row level security', partition);
        execute format(
          'alter table public.%I attach partition public.%I for values from (%L) to (%L)',
          parent.relname, partition, millrace.first_id(week), millrace.first_id(week + interval '1 week')
        );
        made := made + 1;
      exception
        -- Rows of this week are in the default partition already, where they are found just as well.
        when check_violation then
          null;
      end;
    end loop;
  end loop;
  return made;
end
$$;

-- The lowest UUIDv7 of a millisecond: a bound for ranges of ids that are ranges of time.
create function millrace.first_id(at timestamptz) returns uuid
language sql immutable parallel safe
return rpad(lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0'), 32, '0')::uuid;

revoke execute on function millrace.make_partitions(timestamptz, integer) from public;
grant execute on function millrace.make_partitions(timestamptz, integer) to millrace_system;

-- The event log. `tx_id` is what lets a reader ask for exactly the events that were committed since it last looked: a sequence
-- is handed out before the commit, so a higher `seq` may well become visible first.
create sequence events_seq as bigint;
grant usage on sequence events_seq to millrace_app, millrace_system;

create table events (
  -- Made here and not by the caller: that ids ascend with one clock is what lets a reader look at the newest partitions alone.
  id uuid primary key default uuidv7(),
  seq bigint not null default nextval('events_seq'),
  tx_id xid8 not null default pg_current_xact_id(),
  workspace_id uuid,
  name text not null,
  actor_type text not null,
  actor_id uuid,
  data json not null,
  created_at timestamptz(3) not null
) partition by range (id);
create index events_tx on events (tx_id);
create index events_seq_order on events (seq);
create index events_of_workspace on events (workspace_id, id desc);
create table events_default partition of events default;

call millrace.protect(
  'events',
  'workspace_id = millrace.current_workspace_id()',
  'workspace_id is not distinct from millrace.current_workspace_id()'
);
-- Append-only for requests; the product itself may remove what is past its retention.
revoke update, delete on events from millrace_app;
revoke update on events from millrace_system;
grant update (tx_id) on events to millrace_system;
alter table events_default enable row level security;
alter table events_default force row level security;

-- How far each durable consumer has come. Everything visible in `snapshot` is handled, and nothing that is not has an id below
-- `floor`. While a long backlog is worked off, `target` is the snapshot it is read at and `seq` the last event of it that is handled.
create table event_cursors (
  consumer text primary key,
  snapshot pg_snapshot not null,
  floor uuid not null,
  target pg_snapshot,
  seq bigint not null default 0,
  revision bigint not null default 1,
  updated_at timestamptz(3) not null default now()
);
call millrace.protect('event_cursors', 'false');

-- A database that was restored from a logical copy lives in another cluster, whose count of transactions may be far behind the one that
-- `tx_id` and the cursors were written by. This finds it out and makes all old events those of one transaction, long ended. A
-- cursor then goes on, by `seq`, at the first event that it had not handled: some may come twice, none is missed.
create function millrace.adopt_restored_log() returns boolean
language plpgsql
set search_path = public, pg_temp
as $$
begin
  -- One statement: what it sees was committed before its own snapshot, so a higher number can only come from elsewhere.
  if not exists (select from events where tx_id >= pg_snapshot_xmax(pg_current_snapshot()))
    and not exists (select from event_cursors where pg_snapshot_xmax(coalesce(target, snapshot)) > pg_snapshot_xmax(pg_current_snapshot()))
  then
    return false;
  end if;
  lock table event_cursors in exclusive mode;
  update event_cursors
  set
    snapshot = case when open.first_seq is null then pg_current_snapshot() else '1:1:' end,
    target = case when open.first_seq is null then null else pg_current_snapshot() end,
    seq = coalesce(open.first_seq - 1, 0),
    revision = event_cursors.revision + 1,
    updated_at = now()
  from (
    select
      c.consumer,
      (
        select min(e.seq)
        from events e
        where not pg_visible_in_snapshot(e.tx_id, c.snapshot)
          and (c.target is null or e.seq > c.seq or not pg_visible_in_snapshot(e.tx_id, c.target))
      ) as first_seq
    from event_cursors c
  ) as open
  where open.consumer = event_cursors.consumer;
  update events set tx_id = '1';
  return true;
end
$$;
revoke execute on function millrace.adopt_restored_log() from public;
grant execute on function millrace.adopt_restored_log() to millrace_system;

select millrace.make_partitions(now(), 4);
