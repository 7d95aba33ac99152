"""Breaks what Homing runs on, under load, and counts at both ends whether anything was lost.

`python -m bench.chaos --help` says how it is run; docs/explanation/no-loss.md says what it showed.
"""
