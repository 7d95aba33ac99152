"""The route table, by subject."""
