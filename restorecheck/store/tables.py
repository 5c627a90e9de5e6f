"""The tables as they are today. How they came to be is in `migrations/`; a test holds both together.

Times are seconds since 1970, UTC. Nothing here has room for a secret or for a row of a restored database.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up an INTEGER key only


def _of_run() -> sa.Column[str]:
    return sa.Column("run_id", sa.String(64), sa.ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True)


RUNS = sa.Table(
    "runs",
    METADATA,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("check_name", sa.String(64), nullable=False),
    # empty until the run has ended
    sa.Column("verdict", sa.String(16)),
    sa.Column("failure_kind", sa.String(64)),
    sa.Column("started", sa.Float),
    sa.Column("ended", sa.Float),
    sa.Column("report", sa.JSON),
    # the ledger; the defaults are what a row of the first release means
    sa.Column("state", sa.String(16), nullable=False, server_default="ended"),
    sa.Column("account", sa.Text),
    sa.Column("scheduled_for", sa.Float),
    sa.Column("not_before", sa.Float),
    sa.Column("trigger", sa.String(16)),
    sa.Column("owner", sa.Text),
    sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("begun", sa.Float),
    sa.Column("refused", sa.Boolean, nullable=False, server_default=sa.false()),  # the fence refused it something
    sa.Index("runs_by_check", "check_name", "started"),
    sa.Index("runs_by_state", "state", "not_before"),
    sa.Index("runs_by_verdict", "check_name", "verdict", "started"),
    sa.Index(
        "runs_refused", "check_name", "ended", sqlite_where=sa.text("refused = 1"), postgresql_where=sa.text("refused")
    ),
    sa.Index(
        "runs_one_running",
        "check_name",
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    ),
)

PHASES = sa.Table(
    "phases",
    METADATA,
    _of_run(),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("ended", sa.Float, nullable=False),
)

FINDINGS = sa.Table(
    "findings",
    METADATA,
    _of_run(),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("expected", sa.Text, nullable=False),
    sa.Column("observed", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("value", sa.Text),  # a decimal, as it was measured
)

MEASURED = sa.Table(
    "measured",
    METADATA,
    _of_run(),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("check_name", sa.String(64), nullable=False),
    sa.Column("assertion", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("baseline", sa.Boolean, nullable=False),  # whether later runs may be compared with it
    sa.Column("measured", sa.LargeBinary, nullable=False),  # JSON, packed: a schema has many lines
    sa.Index("measured_by_assertion", "check_name", "assertion", "at"),
)

ACCEPTED = sa.Table(
    "accepted",
    METADATA,
    sa.Column("id", _NUMBER, primary_key=True),
    sa.Column("check_name", sa.String(64), nullable=False),
    sa.Column("assertion", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),  # may be forgotten before this is
    sa.Column("measured", sa.LargeBinary, nullable=False),
    sa.Index("accepted_by_assertion", "check_name", "assertion", "at"),
)

CONSIDERED = sa.Table(
    "considered",
    METADATA,
    sa.Column("check_name", sa.String(64), primary_key=True),
    sa.Column("until", sa.Float, nullable=False),
)

MISSES = sa.Table(
    "misses",
    METADATA,
    sa.Column("check_name", sa.String(64), primary_key=True),
    sa.Column("scheduled_for", sa.Float, primary_key=True),
    sa.Column("reason", sa.String(16), nullable=False),
    sa.Column("caught_up_by", sa.String(64)),
)

REPLICAS = sa.Table(
    "replicas",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("beat", sa.Float, nullable=False),  # by the store's clock
)

OUTBOX = sa.Table(
    "outbox",
    METADATA,
    sa.Column("id", _NUMBER, primary_key=True),
    sa.Column("topic", sa.String(64), nullable=False),
    sa.Column("key", sa.String(255), nullable=False, unique=True),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_try", sa.Float, nullable=False),
    sa.Column("delivered", sa.Float),
    sa.Column("why", sa.Text),  # why the last attempt failed
    sa.Index("outbox_by_turn", "delivered", "next_try"),
)

PAUSES = sa.Table(
    "pauses",
    METADATA,
    sa.Column("check_name", sa.String(64), primary_key=True),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("until", sa.Float),
)

TIMERS = sa.Table(
    "timers",
    METADATA,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("since", sa.Float, nullable=False),  # when the interval began that is running now
    sa.Column("fired", sa.Float, nullable=False),  # when it was last claimed
)

NOTES = sa.Table(
    "notes",
    METADATA,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("value", sa.JSON, nullable=False),
)

EPISODES = sa.Table(
    "episodes",
    METADATA,
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("check_name", sa.String(64), nullable=False),
    sa.Column("episode", sa.JSON, nullable=False),
)

DELIVERIES = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("id", _NUMBER, primary_key=True),
    sa.Column("notice_id", sa.String(255), nullable=False),
    sa.Column("receiver", sa.String(64), nullable=False),
    sa.Column("key", sa.String(128), nullable=False),
    sa.Column("turn", sa.String(16), nullable=False),
    sa.Column("notice", sa.JSON, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # pending, delivered, dead, superseded
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_try", sa.Float, nullable=False),
    sa.Column("claimed_by", sa.String(64)),  # the replica that sends it now
    sa.Column("claimed_until", sa.Float),  # after this it is anybody's
    sa.Column("ended", sa.Float),  # when it was delivered, given up or superseded
    sa.Column("acknowledged", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("reason", sa.String(32)),  # why the last try failed: a word of metrics.catalogue.REASONS
    sa.Column("why", sa.Text),
    sa.UniqueConstraint("notice_id", "receiver", name="deliveries_once"),
    sa.Index("deliveries_by_turn", "state", "receiver", "next_try"),
    sa.Index("deliveries_by_key", "receiver", "key", "id"),
)

COUNTERS = sa.Table(
    "counters",
    METADATA,
    sa.Column("name", sa.String(64), primary_key=True),  # of a counter in metrics.catalogue
    sa.Column("labels", sa.String(255), primary_key=True),  # the values of its labels: a JSON list of texts
    sa.Column("value", sa.Float, nullable=False),
)

FIRST_SEEN = sa.Table(
    "first_seen",
    METADATA,
    sa.Column("kind", sa.String(16), primary_key=True),  # check, receiver
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
)
