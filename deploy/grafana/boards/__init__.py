"""The Grafana dashboards as code: what is asked, how it is shown, and where the files come from.

Development only: nothing of this is installed. `make dashboards` runs `python -m boards` in the directory around this
one. That writes the files in `deploy/grafana/dashboards`; a test holds them equal to what stands here. Never edit them.
"""

import warnings

with warnings.catch_warnings():
    # The library asks for its schema v2 when its modules are loaded. Grafana 13.0 cannot load that from a file, and
    # every Grafana loads the classic one.
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    import grafana_foundation_sdk.builders.dashboard
    import grafana_foundation_sdk.builders.prometheus  # noqa: F401
