-- What other systems have told us lately, by the ids that they give: a sender that got no answer says it again.
create table inbound_deliveries (
  source text not null,
  delivery_id text not null check (length(delivery_id) <= 300),
  received_at timestamptz(3) not null,
  primary key (source, delivery_id)
);
create index inbound_deliveries_by_time on inbound_deliveries (received_at);
call millrace.protect('inbound_deliveries', 'false');
