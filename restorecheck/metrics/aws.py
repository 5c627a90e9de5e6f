"""What a process asked of AWS, as figures. Pure: the fence counts, and knows nothing of metrics."""

from __future__ import annotations

from collections.abc import Mapping

from restorecheck.metrics.figures import Figures


def figures_of(sent: Mapping[str, int], failed: Mapping[tuple[str, str], int]) -> Figures:
    """Return the figures of calls by api (`rds:DescribeDBInstances`), and of failed ones by api and failure kind.

    An api of which every call was refused was asked for, and never sent: it has 0.
    """
    figures = Figures()
    for api in sent.keys() | {api for api, _ in failed}:
        figures.put("aws_api_requests", sent.get(api, 0), api)
    for (api, kind), count in failed.items():
        figures.put("aws_api_request_failures", count, api, kind)
    return figures
