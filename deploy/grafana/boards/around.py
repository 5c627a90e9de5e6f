"""The dashboard around the panels: what is chosen above, what it leads to, marks, and headings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common, dashboard

from boards.look import RED
from boards.queries import values

SOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
_ALL = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])


def board(uid: str, title: str, text: str, *, since: str, other: tuple[str, str]) -> Any:
    """Return an empty dashboard with its data source and job to choose; `other` is the title and the uid to lead to."""
    return (
        build.Dashboard(title)
        .uid(uid)
        .description(text)
        .tags(["restorecheck"])
        .timezone("browser")
        .readonly()
        .refresh("1m")
        .time(since, "now")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(
            build.DashboardLink(other[0])
            .type(dashboard.DashboardLinkType.LINK)
            .icon("dashboard")
            .tooltip(f"Open {other[0]}")
            .url(f"/d/{other[1]}?${{datasource:queryparam}}&${{job:queryparam}}")
            .keep_time(True)
        )
        .with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            every(
                choice("job", "Job", values("build_info", "job", of_job=False), "Which scrape job runs restorecheck.")
            )
        )
    )


def choice(name: str, label: str, query: str, text: str) -> Any:
    """Return a variable whose values Prometheus knows. Labels that appear later are found with the next time range."""
    return (
        build.QueryVariable(name)
        .label(label)
        .description(text)
        .datasource(SOURCE)
        .query(query)
        .definition(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )


def every(variable: Any) -> Any:
    """Let a variable have several values, and all of them at first."""
    return variable.multi(True).include_all(True).current(_ALL)


def filled(found: Any, sections: Sequence[tuple[str, Sequence[Any]]]) -> Any:
    """Put panels into a dashboard, each section under its heading."""
    for title, panels in sections:
        found = found.with_row(build.Row(title))
        for panel in panels:
            found = found.with_panel(panel)
    return found


def marks(name: str, text: str, series: str) -> Any:
    """Return marks at the instants that a metric tells in Unix seconds; 0 is none."""
    return (
        build.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(True)
        .icon_color(RED)
        .expr(f"{series} * 1000 > 0")  # milliseconds, as marks are placed by
        .use_value_for_time(True)
        .step("10m")
        .title_format(text)
        .tag_keys("check,verdict")
    )
