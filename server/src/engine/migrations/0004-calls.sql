-- Which execution a step of another has started: written before that one begins, so that whoever does the step again after a crash finds it.
create table engine_calls (
  execution_id uuid primary key,
  workspace_id uuid not null,
  parent_execution_id uuid not null,
  -- Of the step; with a number where it was tried again after the called workflow had failed.
  path text not null,
  -- Calls and webhooks in a row up to here.
  hops integer not null,
  -- The parent waits for it.
  waits boolean not null,
  unique (parent_execution_id, path)
);
call millrace.protect('engine_calls', 'workspace_id = millrace.current_workspace_id()');
