"""A world in which time, order and faults are ours: the production parts, a seed, and checkers."""
