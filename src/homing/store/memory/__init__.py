"""The store in memory; see `store`."""
