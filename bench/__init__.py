"""Measures Homing from outside: load, receiver and service are separate processes."""
