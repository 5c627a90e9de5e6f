"""A database of every healthy shape that a MariaDB may have: what a probe must read in full without a false alarm."""

from __future__ import annotations

HEALTHY = """
CREATE DATABASE `odd-ñame`;
CREATE DATABASE healthy CHARACTER SET utf8mb4;
CREATE TABLE healthy.parts (id INT, region INT, note VARCHAR(20), PRIMARY KEY (id, region))
    PARTITION BY RANGE (region) (PARTITION low VALUES LESS THAN (10), PARTITION high VALUES LESS THAN MAXVALUE);
INSERT INTO healthy.parts VALUES (1, 1, 'a'), (2, 20, NULL), (3, 30, '');
CREATE TABLE healthy.subparts (id INT PRIMARY KEY) PARTITION BY RANGE (id) SUBPARTITION BY HASH (id) SUBPARTITIONS 2
    (PARTITION p0 VALUES LESS THAN (5), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO healthy.subparts VALUES (1), (2), (9);
CREATE TABLE healthy.computed (n INT PRIMARY KEY, hidden INT INVISIBLE DEFAULT 7, v INT AS (n / 0) VIRTUAL,
    s INT AS (n * 2) STORED, CHECK (n > 0));
INSERT INTO healthy.computed (n) VALUES (1), (2);
CREATE TABLE healthy.typed (id BIGINT UNSIGNED PRIMARY KEY, j JSON, e ENUM('a','b,c'), s SET('x','y'), bl LONGBLOB,
    bi BINARY(4), vb VARBINARY(9), f FLOAT, d DOUBLE, bt BIT(9), p POINT, i INET6, u UUID, y YEAR, t TIME(6),
    dt DATETIME(6), ts TIMESTAMP NULL, da DATE, c CHAR(5), tx TEXT, de DECIMAL(30,10));
INSERT INTO healthy.typed VALUES (18446744073709551615, '{"a": [1, null]}', 'b,c', 'x,y', x'00ff80', x'00ff', x'ffff',
    0.1, 1e300, b'100000001', POINT(1, 2), '::1', UUID(), 2026, '-838:59:59', '2026-01-02 03:04:05.6',
    '2026-01-02 03:04:05', '2026-01-02', 'a ', '📦 é', -1.5);
INSERT INTO healthy.typed (id) VALUES (1);
CREATE TABLE healthy.latin (id INT PRIMARY KEY, t VARCHAR(20) CHARACTER SET latin1, u TEXT CHARACTER SET utf16,
    k VARCHAR(20) CHARACTER SET sjis, w TEXT CHARACTER SET ucs2, a VARCHAR(9) CHARACTER SET ascii);
INSERT INTO healthy.latin VALUES (1, x'e9ff81', 'é📦', '日本', 'é', 'plain'), (2, '', '', '', '', '');
CREATE TABLE healthy.`Tän.zahl ``x` (`ü-ber` INT PRIMARY KEY, `a``b` TEXT);
INSERT INTO healthy.`Tän.zahl ``x` VALUES (1, 'x');
CREATE TABLE healthy.`order` (`select` INT PRIMARY KEY, `from` INT, KEY `key` (`from`));
CREATE TABLE healthy.versioned (n INT PRIMARY KEY) WITH SYSTEM VERSIONING;
INSERT INTO healthy.versioned VALUES (1), (2);
DELETE FROM healthy.versioned WHERE n = 1;
CREATE TABLE healthy.nokey (a INT, b VARCHAR(10), KEY (b));
INSERT INTO healthy.nokey VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
CREATE TABLE healthy.isam (n INT PRIMARY KEY, t TEXT) ENGINE=MyISAM;
INSERT INTO healthy.isam VALUES (1, 'x');
CREATE TABLE healthy.aria (n INT PRIMARY KEY) ENGINE=Aria;
CREATE TABLE healthy.mem (n INT PRIMARY KEY) ENGINE=MEMORY;
CREATE TABLE healthy.parent (id INT PRIMARY KEY, code VARCHAR(9) UNIQUE, a INT, b INT, UNIQUE (a, b));
INSERT INTO healthy.parent VALUES (1, 'one', 1, 1), (2, 'two', 1, 2);
CREATE TABLE healthy.child (id INT PRIMARY KEY, p INT, code VARCHAR(9), a INT, b INT, me INT,
    CONSTRAINT by_id FOREIGN KEY (p) REFERENCES healthy.parent (id),
    CONSTRAINT by_code FOREIGN KEY (code) REFERENCES healthy.parent (code),
    CONSTRAINT `by ``both` FOREIGN KEY (a, b) REFERENCES healthy.parent (a, b),
    CONSTRAINT itself FOREIGN KEY (me) REFERENCES healthy.child (id));
INSERT INTO healthy.child VALUES (1, 1, 'one', 1, 2, 1), (2, NULL, NULL, 9, NULL, NULL);
CREATE SEQUENCE healthy.numbers;
CREATE VIEW healthy.seen AS SELECT n FROM healthy.aria;
CREATE VIEW healthy.rotten AS SELECT n FROM healthy.mem;
CREATE FUNCTION healthy.twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2;
CREATE EVENT healthy.nightly ON SCHEDULE EVERY 1 DAY DO SELECT 1;
CREATE TABLE `odd-ñame`.`t` (n INT PRIMARY KEY);
"""
"""Statements, one after the other: the database `healthy`, and one more with an odd name."""

TABLES = 14
"""Tables of `healthy` that have rows of their own, or could have."""
