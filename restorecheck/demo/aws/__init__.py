"""An AWS that runs here: moto's control plane with real PostgreSQL behind its RDS. Knows nothing of restorecheck."""
