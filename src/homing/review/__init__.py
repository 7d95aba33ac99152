"""An incident as a record: what it cost, and what became of it."""
