"""Telling people: what is told to whom and in which words, and how it reaches them. Decides nothing about a run."""
