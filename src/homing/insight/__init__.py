"""Reads the books: ledger balance and what it is made of. Pure functions over rows."""
