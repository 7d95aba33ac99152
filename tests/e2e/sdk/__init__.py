"""Svix's published SDKs against a running Homing."""
