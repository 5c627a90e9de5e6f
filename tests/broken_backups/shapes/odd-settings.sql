-- group: settings
-- question: select count(*) from public.z
-- answer: 100

create table z (id serial primary key, f float8, i interval, at timestamptz, b bytea);

insert into z (f, i, at, b) select g / 3.0, g * interval '1 min', '2025-01-01Z', '\x00ff' from generate_series(1, 100) g;

alter database {database} set search_path = '';

alter database {database} set datestyle = 'German, DMY';

alter database {database} set timezone = 'Asia/Kathmandu';

alter database {database} set intervalstyle = 'iso_8601';

alter database {database} set bytea_output = 'escape';

alter database {database} set extra_float_digits = -10;

alter database {database} set statement_timeout = '1ms';

alter database {database} set idle_in_transaction_session_timeout = '50ms';

alter database {database} set transaction_timeout = '50ms';

alter database {database} set lock_timeout = '1ms';

alter database {database} set default_transaction_isolation = 'serializable';

alter database {database} set default_transaction_deferrable = on;

alter database {database} set standard_conforming_strings = off;

alter database {database} set quote_all_identifiers = on;

alter database {database} set enable_seqscan = off;

alter database {database} set enable_indexonlyscan = off;

alter database {database} set work_mem = '64kB';

alter database {database} set row_security = on;

alter database {database} set default_statistics_target = 1;

alter database {database} set xmloption = document;

alter database {database} set array_nulls = off;

alter database {database} set transform_null_equals = on;

alter database {database} set max_parallel_workers_per_gather = 8;

alter database {database} set cursor_tuple_fraction = 0.0001;

alter database {database} set default_text_search_config = 'simple';

alter database {database} set plan_cache_mode = force_generic_plan;
