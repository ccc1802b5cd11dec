-- Up Migration

-- Pages of a search continue by text and id: without the id, people of one name would have no order, and each page would read all of them.
drop index accounts_search_name_idx;
create index accounts_search_name_idx on accounts (search_name, user_id);
drop index accounts_search_last_name_idx;
create index accounts_search_last_name_idx on accounts (search_last_name, user_id);

-- Down Migration

drop index accounts_search_last_name_idx;
create index accounts_search_last_name_idx on accounts (search_last_name);
drop index accounts_search_name_idx;
create index accounts_search_name_idx on accounts (search_name);
