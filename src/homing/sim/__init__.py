"""A world in which time and order are ours: schedules, faults, planted bugs, checkers."""
