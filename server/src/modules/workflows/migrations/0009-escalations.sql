-- When others are asked as well while an approval is open, and when and how often they have been.
alter table workflow_approvals add column escalates_at timestamptz(3);
alter table workflow_approvals add column escalated_at timestamptz(3);
alter table workflow_approvals add column escalations integer not null default 0 check (escalations >= 0);
