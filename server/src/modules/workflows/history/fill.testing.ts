import type { Sql } from 'postgres'

export interface Filling {
  readonly workflow_id: string
  readonly workspace_id: string
  readonly count: number
  /** Unix milliseconds, between which they started, evenly. */
  readonly from: number
  readonly to: number
  /** Each so manieth has failed; none when not given. */
  readonly failed_each?: number
  readonly mode?: 'live' | 'test'
}

/** Executions that ended long ago, as the journal keeps them: one record, of a webhook and a step. As the owner of the tables. */
export const fillHistory = async (sql: Sql, filling: Filling): Promise<void> => {
  const { workflow_id, workspace_id, count, from, to, failed_each = 0, mode = 'live' } = filling
  await sql`
    with made as materialized (
      select
        number,
        ${from}::bigint + floor((${to}::bigint - ${from}::bigint) * (number::float8 / ${count}))::bigint as ms,
        ${failed_each}::int > 0 and number % greatest(${failed_each}::int, 1) = 0 as failed
      from generate_series(0, ${count}::int - 1) as number
    ),
    ids as materialized (
      select
        made.*,
        (substr(lpad(to_hex(ms), 12, '0'), 1, 8) || '-' || substr(lpad(to_hex(ms), 12, '0'), 9, 4) || '-7' || substr(md5(number::text), 1, 3)
          || '-8' || substr(md5(number::text), 4, 3) || '-' || substr(md5(random()::text), 1, 12))::uuid as id,
        to_timestamp(ms / 1000.0) as at
      from made
    ),
    rows as (
      insert into executions (id, workspace_id, workflow_id, version, mode, status, trigger_type, trigger_node_id, error, started_at, finished_at)
      select
        id, ${workspace_id}, ${workflow_id}, 1, ${mode}, case when failed then 'failed' else 'succeeded' end, 'trigger.webhook', 'hook',
        case when failed then json_build_object('code', 'http.status', 'message', 'answered ' || (500 + number / 50 % 5), 'details', null, 'node_id', 'set') end,
        at, at + make_interval(secs => (1 + number % 100) / 1000.0)
      from ids
    )
    insert into execution_records (execution_id, seq, workspace_id, body)
    select
      id, 0, ${workspace_id},
      json_build_object(
        'at', ms + 1 + number % 100,
        'trigger', json_build_object('node_id', 'hook', 'payload',
          json_build_object('method', 'POST', 'path', 'filled', 'headers', json_build_object(), 'query', json_build_object(), 'body', json_build_object('n', number), 'raw_id', id)),
        'steps', json_build_array(json_build_object(
          'node_id', 'set', 'attempt', 1, 'started_at', ms, 'finished_at', ms + 1 + number % 100,
          'status', case when failed then 'failed' else 'succeeded' end, 'port', case when failed then null else 'out' end,
          'output', case when failed then null else json_build_object('n', number) end,
          'error', case when failed then json_build_object('code', 'http.status', 'message', 'answered ' || (500 + number / 50 % 5), 'details', null) end,
          'retry_at', null)),
        'ending', json_build_object('status', case when failed then 'failed' else 'succeeded' end, 'error',
          case when failed then json_build_object('code', 'http.status', 'message', 'answered ' || (500 + number / 50 % 5), 'details', null, 'node_id', 'set') end)
      )
    from ids`
}
