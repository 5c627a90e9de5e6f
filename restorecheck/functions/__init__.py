"""The service as functions on Lambda: where they read and keep, one tick of the dispatcher, one sweep, one run.

The parts behind `handler`. Nothing here decides about a verdict, and nothing is remembered from one call to the next
but what may be lost with the process: sessions, and the last configuration that was right.
"""
