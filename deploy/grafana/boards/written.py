"""The dashboards as the text of their files: the same text for the same source, whoever writes it."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from boards.check import check
from boards.fleet import fleet


def written() -> dict[str, str]:
    """Return the text of every file by its name."""
    return {f"{board.uid}.json": _text(board) for board in (fleet().build(), check().build())}


def _text(board: Any) -> str:
    for number, panel in enumerate(board.panels, 1):
        panel.id_val = number  # what a link to a panel names: counted, so that it is the same after every build
    for shown in (*board.links, *board.annotations.list_val):
        shown.placement = None  # the library hides both in a menu
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
