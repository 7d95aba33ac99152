"""Retry workers that are not ours, in a world whose time and order are."""
