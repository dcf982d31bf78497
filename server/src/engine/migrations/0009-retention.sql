-- How long a workflow keeps its executions, in days, as the definition says; null where the installation's setting counts.
alter table engine_versions add column retention_days integer check (retention_days > 0);
set local role millrace_system;
update engine_versions
set retention_days = (definition -> 'settings' ->> 'retention_days')::integer
where definition -> 'settings' ->> 'retention_days' is not null;
reset role;

create index executions_trial_in_order on executions (id) where mode = 'test';

-- Takes a partition out of the journal; it is a table of its own then, called `retired_…`, that the product's own work reads and nobody else.
-- False when it is none. It runs as the owner of the tables, because the product's own role may not change them; and it asks for no lock by
-- itself that its caller, who has to hold both parents, does not have.
create function millrace.retire_partition(partition text) returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  parent text;
begin
  select p.relname
  into parent
  from pg_inherits i
  join pg_class c on c.oid = i.inhrelid
  join pg_class p on p.oid = i.inhparent
  where c.relnamespace = 'public'::regnamespace
    and c.relname = partition
    and p.relnamespace = 'public'::regnamespace
    and p.relname in ('executions', 'execution_records')
    and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT';
  if parent is null then
    return false;
  end if;
  execute format('alter table public.%I detach partition public.%I', parent, partition);
  execute format('alter table public.%I rename to %I', partition, 'retired_' || partition);
  call millrace.protect('retired_' || partition, 'false');
  return true;
end
$$;
revoke execute on function millrace.retire_partition(text) from public;
grant execute on function millrace.retire_partition(text) to millrace_system;

create function millrace.drop_retired(retired text) returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select
    from pg_class
    where relnamespace = 'public'::regnamespace
      and relname = retired
      and relkind = 'r'
      and not relispartition
      and (starts_with(relname, 'retired_executions_') or starts_with(relname, 'retired_execution_records_'))
  ) then
    return false;
  end if;
  execute format('drop table if exists public.%I', retired);
  return true;
end
$$;
revoke execute on function millrace.drop_retired(text) from public;
grant execute on function millrace.drop_retired(text) to millrace_system;
