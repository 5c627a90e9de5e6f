"""The probes of MySQL and MariaDB. Nothing is imported here: the client library is an optional dependency."""
