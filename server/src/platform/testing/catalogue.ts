import type { Sql } from 'postgres'

/** Tables of the product, partitions left out: rows are reached through the parent alone. One that was a partition may be dropped at any time. */
export const listTables = async (sql: Sql): Promise<readonly { readonly name: string; readonly columns: readonly string[] }[]> =>
  sql<{ name: string; columns: string[] }[]>`
    select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace
      and c.relkind in ('r', 'p')
      and not c.relispartition
      and not starts_with(c.relname, 'retired_')
    group by c.relname
    order by c.relname`

/** What in `public` is not under row-level security as it has to be, one sentence each; none when all is well. */
export const findUnprotected = async (sql: Sql): Promise<readonly string[]> => {
  const rows = await sql<{ complaint: string }[]>`
    with relation as (
      select
        c.oid,
        c.relname as name,
        c.relkind as kind,
        c.relispartition as is_partition,
        c.relrowsecurity as enabled,
        c.relforcerowsecurity as forced,
        pg_get_userbyid(c.relowner) as owner,
        coalesce(c.reloptions @> array['security_invoker=true'], false) as security_invoker,
        exists (
          select
          from aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) as acl
          where acl.grantee in (0, 'millrace_app'::regrole, 'millrace_system'::regrole)
        ) as granted,
        exists (select from aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) as acl where acl.grantee = 0) as public_granted,
        array(
          select role::regrole::text
          from pg_policy p
          cross join unnest(p.polroles) as role
          where p.polrelid = c.oid
        ) as policies
      from pg_class c
      where c.relnamespace = 'public'::regnamespace
        and c.relkind in ('r', 'p', 'v', 'm', 'f')
    )
    select name || ' is owned by ' || owner || ', who would be past its policies' as complaint
    from relation
    where owner in ('millrace_app', 'millrace_system')
    union all
    select name || ' has rights granted to everybody'
    from relation
    where public_granted
    union all
    select name || ' is not under forced row-level security: call millrace.protect'
    from relation
    where kind in ('r', 'p') and not (enabled and forced)
    union all
    select name || ' has no policy for ' || role || ': call millrace.protect'
    from relation
    cross join unnest(array['millrace_app', 'millrace_system']) as role
    where kind in ('r', 'p')
      and not (is_partition and not granted)
      and not role = any(policies)
    union all
    select name || ' is a view that reads with its owner''s rights: create it with (security_invoker = true)'
    from relation
    where kind = 'v' and not security_invoker
    union all
    select name || ' is granted, and nothing of its kind can have policies'
    from relation
    where kind in ('m', 'f') and granted
    union all
    select rolname || ' must be neither superuser, BYPASSRLS nor able to sign in'
    from pg_roles
    where rolname in ('millrace_app', 'millrace_system')
      and (rolsuper or rolbypassrls or rolcanlogin)
    order by complaint`
  return rows.map(({ complaint }) => complaint)
}
