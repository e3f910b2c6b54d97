"""What is true, what we want, what to do. Pure: no clock, no randomness, no I/O, no logger."""
