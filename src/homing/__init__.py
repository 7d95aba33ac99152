"""Homing delivers webhooks and can prove that it dropped none."""

__version__ = "0.1.0"
