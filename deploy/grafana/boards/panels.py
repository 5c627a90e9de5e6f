"""The kinds of panels. Each has a title, a description, a unit, a word for nothing, and the chosen data source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import common as parts
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, statushistory, table, timeseries
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from boards.around import SOURCE
from boards.look import GREY, RED, VERDICT_WORDS, Ask, Column, Look, Steps, Words

_REFS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUE = common.BigValueColorMode.VALUE


def number(title: str, text: str, question: str, look: Look, *, width: int = 3, height: int = 4) -> Any:
    """Return a panel with one number, or with its word."""
    panel = (
        stat.Panel()
        .color_mode(common.BigValueColorMode.BACKGROUND if look.steps or look.words else _VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(common.BigValueTextMode.VALUE)
        .reduce_options(parts.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return _of(panel, title, text, look, size=(width, height)).with_target(_instant(question, "A"))


def lines(
    title: str,
    text: str,
    asks: Sequence[Ask],
    look: Look,
    *,
    width: int = 12,
    height: int = 8,
    stacked: bool = False,
    limits: str = "",
    line_at: float | None = None,
    repeat: str = "",
) -> Any:
    """Return a panel of values over time. Lines whose names match `limits` are objectives: dashed, and never stacked.

    `line_at` is one limit for all lines; `repeat` is a variable, for each value of which there is a panel.
    A value stands until the next run tells another, so lines are stairs.
    """
    panel = (
        timeseries.Panel()
        .line_interpolation(common.LineInterpolation.STEP_AFTER)
        .line_width(2)
        .fill_opacity(40 if stacked else 0)
        .span_nulls(False)
        .axis_soft_min(0)
        .show_points(common.VisibilityMode.NEVER)
        .legend(parts.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST).show_legend(True).calcs([]))
        .tooltip(parts.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
    )
    if stacked:
        panel = panel.stacking(parts.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if line_at is not None:
        style = common.GraphThresholdsStyleMode.DASHED
        panel = panel.thresholds_style(parts.GraphThresholdsStyleConfig().mode(style))
    if limits:
        panel = panel.override_by_regexp(
            limits,
            [
                _property("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}),
                _property("custom.fillOpacity", 0),
                _property("custom.stacking", {"mode": "none", "group": "A"}),
                _property("color", {"mode": "fixed", "fixedColor": RED}),
            ],
        )
    if repeat:
        panel = panel.repeat(repeat).repeat_direction("h").max_per_row(4)
    for ref, ask in zip(_REFS, asks, strict=False):
        panel = panel.with_target(_range(ask, ref))
    panel = _of(panel, title, text, look, size=(width, height))
    return panel if line_at is None else panel.thresholds(_thresholds(((line_at, RED),)))


def nights(title: str, text: str, ask: Ask, *, height: int) -> Any:
    """Return a panel with one cell for each day: equal neighbours stay apart."""
    panel = (
        statushistory.Panel()
        .show_value(common.VisibilityMode.AUTO)
        .row_height(0.9)
        .per_page(25)
        .col_width(0.95)
        .fill_opacity(80)
        .legend(parts.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST).show_legend(True).calcs([]))
        .interval("1d")
        .with_target(_range(Ask(ask.question, ask.legend, "1d"), "A"))
    )
    return _of(panel, title, text, Look(words=VERDICT_WORDS, nothing="no run"), size=(24, height))


def stretches(title: str, text: str, ask: Ask, *, height: int) -> Any:
    """Return a panel that shows how long each verdict stood: equal neighbours are one stretch."""
    panel = (
        statetimeline.Panel()
        .show_value(common.VisibilityMode.AUTO)
        .merge_values(True)
        .fill_opacity(80)
        .legend(parts.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST).show_legend(True).calcs([]))
        .with_target(_range(ask, "A"))
    )
    return _of(panel, title, text, Look(words=VERDICT_WORDS), size=(24, height))


def rows(
    title: str,
    text: str,
    keys: Sequence[str],
    columns: Sequence[Column],
    *,
    width: int = 24,
    height: int = 8,
    sort: tuple[str, bool] | None = None,
    after: Sequence[str] = (),
    hidden: Sequence[str] = (),
    link: tuple[str, str, str] | None = None,
    nothing: str = "no data",
) -> Any:
    """Return a table. Its questions answer with the labels in `keys`; a column without a title only brings labels.

    `after` are labels that stand behind the columns, `hidden` ones that do not stand anywhere. `sort` is a column and
    whether the highest comes first; `link` is a key, a title and where its cells lead.
    """
    panel = table.Panel().show_header(True).cell_height(common.TableCellHeight.SM)
    order = {key: place for place, key in enumerate(keys)}
    order |= {key: len(keys) + len(columns) + place for place, key in enumerate(after)}
    excluded = {"Time": True, **dict.fromkeys(hidden, True)}
    renamed = {}
    for place, (ref, column) in enumerate(zip(_REFS, columns, strict=False)):
        field = f"Value #{ref}" if len(columns) > 1 else "Value"
        panel = panel.with_target(_instant(column.question, ref).format(PromQueryFormat.TABLE))
        order[field] = len(keys) + place
        if column.title:
            renamed[field] = column.title
            panel = panel.override_by_name(column.title, _cell(column))
        else:
            excluded[field] = True
    if link:
        key, name, url = link
        panel = panel.override_by_name(key, [_property("links", [{"title": name, "url": url}])])
    if sort:
        panel = panel.sort_by([parts.TableSortByFieldState().display_name(sort[0]).desc(sort[1])])
    panel = panel.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    panel = panel.with_transformation(
        dashboard.DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": excluded, "indexByName": order, "renameByName": renamed},
        )
    )
    return _of(panel, title, text, Look(nothing=nothing), size=(width, height))


# --- inside ---


def _of(panel: Any, title: str, text: str, look: Look, *, size: tuple[int, int]) -> Any:
    panel = panel.title(title).description(text).datasource(SOURCE).span(size[0]).height(size[1])
    panel = panel.unit(look.unit).no_value(look.nothing).thresholds(_thresholds(look.steps))
    if look.decimals is not None:
        panel = panel.decimals(look.decimals)
    if look.words:
        panel = panel.mappings([_mapping(look.words)])
    if look.words or look.steps:
        mode = dashboard.FieldColorModeId.THRESHOLDS
    else:
        mode = dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME
    return panel.color_scheme(build.FieldColor().mode(mode))


def _thresholds(steps: Steps) -> Any:
    values = [dashboard.Threshold(value=value, color=color) for value, color in ((None, GREY), *steps)]
    return build.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(values)


def _mapping(words: Words) -> Any:
    return dashboard.ValueMap(
        options={
            f"{value:g}": dashboard.ValueMappingResult(text=text, color=color, index=place)
            for place, (value, (text, color)) in enumerate(words.items())
        }
    )


def _cell(column: Column) -> list[dashboard.DynamicConfigValue]:
    found = [_property("unit", column.unit), _property("noValue", column.nothing)]
    if column.steps:
        found.append(_property("thresholds", _thresholds(column.steps).build().to_json()))
        found.append(_property("color", {"mode": "thresholds"}))
    if column.words:
        found.append(_property("mappings", [_mapping(column.words).to_json()]))
    if column.words or column.steps:
        found.append(_property("custom.cellOptions", {"type": "color-background", "mode": "basic"}))
    if column.decimals is not None:
        found.append(_property("decimals", column.decimals))
    return found


def _property(name: str, value: object) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val=name, value=value)


def _target(question: str, ref: str) -> Any:
    return prometheus.Dataquery().datasource(SOURCE).expr(question).ref_id(ref)


def _instant(question: str, ref: str) -> Any:
    return _target(question, ref).instant()


def _range(ask: Ask, ref: str) -> Any:
    target = _target(ask.question, ref).range().legend_format(ask.legend)
    return target.interval(ask.least) if ask.least else target
