"""What follows from predictions: shares, regions, drivers, robustness and the one verdict rule."""
