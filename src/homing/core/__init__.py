"""What a delivery is and what happens to it next. Pure: no clock, no chance, no I/O."""
