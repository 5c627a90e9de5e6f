"""What is measured, and how it gets out: read from the store when somebody asks, so that it survives every process.

`catalogue` names every metric; `docs/metrics.md`, the rules and the dashboards are held to it by tests.
"""
