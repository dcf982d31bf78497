-- What a form shows, as its trigger describes it. A form stands among the webhooks under the method FORM; null for a webhook.
alter table workflow_webhooks add column form json check ((method = 'FORM') = (form is not null));
