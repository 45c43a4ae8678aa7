"""Models against measurements: what is fitted, what is predicted, how far off it is."""
