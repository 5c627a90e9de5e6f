-- group: values
-- question: select count(*) from value where f > 0
-- answer: 101

create table value (id serial primary key, n numeric, f float8, r real, d date, ts timestamp, tz timestamptz,
    t time, tt timetz, i interval, m money, b bit(5), vb varbit, c char(10), vc varchar(3), nm name, ch "char",
    u uuid, ip inet, net cidr, mac macaddr, mac8 macaddr8, p point, l line, ls lseg, bx box, pa path, po polygon,
    ci circle, lsn pg_lsn, x xid8, x4 xid, tid tid, o oid, rc regclass, rt regtype, by bytea, sn pg_snapshot,
    tsv tsvector, tsq tsquery, sm smallint, bg bigint, bo bool, ov oidvector, iv int2vector, ac aclitem[]);

insert into value (n, f, r, d, ts, tz, t, tt, i, m, b, vb, c, vc, nm, ch, u, ip, net, mac, mac8, p, l, ls, bx, pa,
    po, ci, lsn, x, x4, tid, o, rc, rt, by, sn, tsv, tsq, sm, bg, bo, ov, iv, ac) values
    ('NaN', 'NaN', '-0', 'infinity', '-infinity', 'infinity', '24:00', '23:59:60+15:59', 'infinity', -1, '10101',
    '', 'x', 'üüü', 'name', 'c', '00000000-0000-0000-0000-000000000000', '::1', '10.0.0.0/8',
    '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '(NaN,Infinity)', '{1,2,3}', '[(0,0),(1,1)]', '((0,0),(1,1))',
    '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))', '<(0,0),1>', '0/0', '1', '3', '(0,1)', 4294967295, 'customer', 'int',
    '\x00ff', '10:20:10,14,15', 'a fat cat', 'fat & cat', -32768, -9223372036854775808, true, '1 2', '1 2',
    '{=r/shopkeeper}');

insert into value (n, f, d, ts, i, m) values ('Infinity', '-Infinity', '4714-11-24 BC', '294276-12-31 23:59:59.999999', '-178000000 years', '92233720368547758.07');

insert into value (n, f, r) select ('1e' || g)::numeric, ('1e-' || g)::float8, 1.1 from generate_series(1, 100) g;

insert into value (n) values (repeat('9', 5000)::numeric), (('0.' || repeat('1', 3000))::numeric);

insert into value (by) select decode(string_agg(lpad(to_hex(g), 2, '0'), ''), 'hex') from generate_series(0, 255) g;

insert into value (c, vc) values ('', ''), ('   ', ' '), (null, null);

create index on value (n);

create index on value (f, r);

create index on value (c);

create index on value (tz, i);

create index on value (nm, ch);

create index on value (ip, net);

create index on value (u, by);

insert into value (ch, nm) values ('\303', 'Größe'), ('\000', ''), ('ü', 'x');
