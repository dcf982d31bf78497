-- Executions that are looked for among many others: those that did not succeed, those that have not ended, and trial runs. Few, so that
-- the many cost nothing more.
create index executions_unsuccessful on executions (workspace_id, id desc) where status in ('failed', 'cancelled', 'timed_out');
create index executions_unsuccessful_of_workflow on executions (workflow_id, id desc) where status in ('failed', 'cancelled', 'timed_out');
create index executions_open on executions (workspace_id, id desc) where finished_at is null;
create index executions_trial on executions (workspace_id, id desc) where mode = 'test';
