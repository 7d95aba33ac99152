"""The board: what several services say of themselves, and what of it needs a person."""
