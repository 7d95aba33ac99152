"""Prometheus rules for objectives, and the unit tests that make each alert fire and not fire."""
