"""How things work: pure functions of numbers and arrays."""
