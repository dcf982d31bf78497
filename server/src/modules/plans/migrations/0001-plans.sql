-- What a workspace has used of what its plan counts by period. It refers to no workspace: who removes one and gets it back
-- again has used what was used.
create table plan_usage (
  workspace_id uuid not null,
  feature text not null,
  period_start timestamptz(3) not null,
  used bigint not null check (used >= 0),
  primary key (workspace_id, feature, period_start)
) with (fillfactor = 50);
call millrace.protect('plan_usage', 'workspace_id = millrace.current_workspace_id()');
revoke delete on plan_usage from millrace_app;

-- What has been said of limits already, so that a flood of refusals is no flood of events.
create table plan_notices (
  workspace_id uuid not null,
  -- The user whose limit it is, or the workspace.
  subject_id uuid not null,
  feature text not null,
  kind text not null check (kind in ('near', 'reached')),
  period_start timestamptz(3) not null,
  created_at timestamptz(3) not null,
  primary key (workspace_id, subject_id, feature, kind, period_start)
);
call millrace.protect('plan_notices', 'workspace_id = millrace.current_workspace_id()');
revoke insert, update, delete on plan_notices from millrace_app;
