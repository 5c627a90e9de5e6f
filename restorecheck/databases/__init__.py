"""Restored databases behind one port: prepared, knocked at, asked. Clients are imported by the engine modules only."""
