-- The audit: one entry for every event that is worth one, append-only, and chained by digests so that a change to what is there can be
-- found out. docs/explanation/audit.md has the format; `chain.ts` computes the same outside of the database.

-- Where each chain ends. There is one per workspace, and one, of the nil id, for what belongs to none.
create table audit_chains (
  chain uuid primary key,
  seq bigint not null,
  hash text not null
);

create table audit_entries (
  -- Of the event, so that an event that comes twice is entered once.
  id uuid primary key,
  workspace_id uuid,
  chain uuid not null check (chain = coalesce(workspace_id, '00000000-0000-0000-0000-000000000000')),
  seq bigint not null,
  at timestamptz(3) not null,
  action text collate "C" not null,
  actor_type text not null,
  actor_id uuid,
  impersonator_id uuid,
  target_type text,
  target_id uuid,
  request_id text,
  -- What can tell of a person, digested together with a salt: it can be taken away without breaking the chain, and not be guessed.
  salt uuid,
  address text,
  user_agent text,
  data json,
  before json,
  after json,
  erased_at timestamptz(3),
  content_hash text not null,
  previous_hash text not null,
  hash text not null,
  unique (chain, seq)
);
create index audit_entries_at on audit_entries (chain, at);
create index audit_entries_action on audit_entries (chain, action, seq);
create index audit_entries_actor on audit_entries (actor_id, id);
create index audit_entries_impersonator on audit_entries (impersonator_id, id) where impersonator_id is not null;
create index audit_entries_target on audit_entries (target_id, id);

call millrace.protect('audit_chains', 'false');
call millrace.protect('audit_entries', 'workspace_id = millrace.current_workspace_id()', 'false');
-- Append-only for everybody who can be reached over the network: entries are added by the product's own work and changed by nobody, and
-- the ends of the chains are moved by the trigger alone.
revoke insert, update, delete on audit_chains from millrace_app, millrace_system;
revoke insert, update, delete on audit_entries from millrace_app;
revoke update, delete on audit_entries from millrace_system;
-- The functions below work as the owner of the tables, who need not be a superuser.
create policy owner on audit_chains to current_user using (true) with check (true);
create policy owner on audit_entries to current_user using (true) with check (true);

-- One field of a digested text: its length in bytes, a colon, the field, a comma; `-,` where there is none. So no two lists of fields
-- have the same text.
create function millrace.audit_field(value text) returns text
language sql immutable parallel safe
return case when value is null then '-,' else octet_length(value) || ':' || value || ',' end;

-- Gives an entry its place. Whatever the writer says of sequence and digests is overwritten, so a writer that errs cannot break a chain.
-- The row of the chain's end is locked until the commit: two writers take turns.
create function millrace.chain_audit_entry() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  head record;
begin
  new.chain := coalesce(new.workspace_id, '00000000-0000-0000-0000-000000000000');
  loop
    select c.seq, c.hash into head from public.audit_chains c where c.chain = new.chain for update;
    exit when found;
    insert into public.audit_chains (chain, seq, hash) values (new.chain, 0, repeat('0', 64)) on conflict do nothing;
  end loop;
  -- After the lock: whoever had it may have entered the same event.
  if exists (select from public.audit_entries e where e.id = new.id) then
    return null;
  end if;
  new.seq := head.seq + 1;
  new.previous_hash := head.hash;
  new.salt := gen_random_uuid();
  new.erased_at := null;
  new.content_hash := encode(sha256(convert_to(
    millrace.audit_field(new.salt::text)
      || millrace.audit_field(new.address)
      || millrace.audit_field(new.user_agent)
      || millrace.audit_field(new.data::text)
      || millrace.audit_field(new.before::text)
      || millrace.audit_field(new.after::text),
    'UTF8'
  )), 'hex');
  new.hash := encode(sha256(convert_to(
    millrace.audit_field('millrace-audit-1')
      || millrace.audit_field(new.chain::text)
      || millrace.audit_field(new.seq::text)
      || millrace.audit_field(new.id::text)
      || millrace.audit_field(to_char(new.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
      || millrace.audit_field(new.action)
      || millrace.audit_field(new.actor_type)
      || millrace.audit_field(new.actor_id::text)
      || millrace.audit_field(new.impersonator_id::text)
      || millrace.audit_field(new.target_type)
      || millrace.audit_field(new.target_id::text)
      || millrace.audit_field(new.request_id)
      || millrace.audit_field(new.content_hash)
      || millrace.audit_field(new.previous_hash),
    'UTF8'
  )), 'hex');
  update public.audit_chains c set seq = new.seq, hash = new.hash where c.chain = new.chain;
  return new;
end
$$;
revoke execute on function millrace.chain_audit_entry() from public;

create trigger chain before insert on audit_entries for each row execute function millrace.chain_audit_entry();

-- Takes away what entries by or about an account hold of a person, once the audit itself says that the account was erased. What
-- happened, when and to what stays, and so does the digest of what was taken away. Answers how many entries.
create function millrace.erase_audit_content(account uuid) returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  erased integer;
begin
  if not exists (select from public.audit_entries e where e.action = 'users.erased' and e.target_id = account) then
    raise exception 'the audit has no entry that says that % was erased', account;
  end if;
  update public.audit_entries e
  set salt = null, address = null, user_agent = null, data = null, before = null, after = null, erased_at = now()
  where (e.actor_id = account or e.target_id = account)
    and e.action <> 'users.erased'
    and e.erased_at is null;
  get diagnostics erased = row_count;
  return erased;
end
$$;
revoke execute on function millrace.erase_audit_content(uuid) from public;
grant execute on function millrace.erase_audit_content(uuid) to millrace_system;
