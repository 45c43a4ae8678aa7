"""Factors between units that no table holds."""

PER_CENT = 100
"""Hundredths in a whole: a fraction times it is a percentage."""
