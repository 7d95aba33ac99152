"""Finds deliveries that went missing, and why, in any system's delivery log."""
