"""The rules by which a Prometheus watches restorecheck, and what a person does when one of them speaks.

Pure: it makes texts. `deploy/` and `docs/` hold what is made with nothing chosen, and tests keep them equal.
"""
