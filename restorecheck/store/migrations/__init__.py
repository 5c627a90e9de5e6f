"""How the tables came to be, one script for each change. Scripts know nothing of today's code: they never change."""
