"""Reads settings, builds the objects, runs them; and asks a running Homing for things."""
