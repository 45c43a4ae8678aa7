"""The only room that knows Jupyter: run the notebooks, keep their results, print the scorecard."""
