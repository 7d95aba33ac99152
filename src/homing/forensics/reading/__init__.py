"""Makes rows of one form of any system's log: what its files are, its lines say and its columns mean."""
