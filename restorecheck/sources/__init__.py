"""Kinds of backup: one module each, named after what is backed up. `interface` is the contract."""
