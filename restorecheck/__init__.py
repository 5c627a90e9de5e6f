"""restorecheck proves backups: it restores them, asks them questions, and tears everything down again."""

__version__ = "0.1.0"
