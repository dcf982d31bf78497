-- Which calls of a webhook are one delivery; null where each is one of its own.
alter table workflow_webhooks add column dedupe json;
