"""What is shown while runs go on, on a terminal and elsewhere."""

import io

from rich.console import Console

from restorecheck.cli.progress import Progress

RUN, OTHER = "orders-db-20261121t0300z", "users-db-20261121t0300z"


def a_life(progress: Progress) -> None:
    progress.started(RUN, "restore")
    progress.finished(RUN, "restore", "")
    progress.started(RUN, "restore: wait")
    progress.looked(RUN, "restore: wait", "creating")
    progress.looked(RUN, "restore: wait", "creating")
    progress.finished(OTHER, "plan", "")  # a run that is taken up: its first steps are replayed, not run
    progress.looked(RUN, "restore: wait", "available")
    progress.finished(RUN, "restore: wait", "it [bold]burnt[/bold] down")


def test_elsewhere_it_is_one_line_for_every_change():
    out = io.StringIO()
    with Progress(Console(file=out, width=100)) as progress:
        a_life(progress)
    lines = [line.strip().split("  ", 1)[1] for line in out.getvalue().splitlines()]
    assert lines == [
        "orders-db  restore",
        "orders-db  restore: creating",
        "orders-db  restore: available",
        "orders-db  restore: FAILED: it [bold]burnt[/bold] down",
    ]


def test_on_a_terminal_it_is_a_table_that_goes_away():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, legacy_windows=False)
    with Progress(console) as progress:
        a_life(progress)
        progress.refresh()
    shown = out.getvalue()
    for word in ("check", "AWS says", "orders-db", "users-db", "restore", "burnt"):
        assert word in shown, word
    assert "FAILED" not in shown


def test_a_run_that_nobody_announced_is_shown_all_the_same():
    out = io.StringIO()
    with Progress(Console(file=out, width=100)) as progress:
        progress.looked(RUN, "restore: wait", "creating")
    assert "orders-db" in out.getvalue()
