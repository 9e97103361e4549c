"""Answers as people read them in a terminal: tables and cards from the documents of `--json`."""
