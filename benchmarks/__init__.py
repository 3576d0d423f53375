"""Measures the costs of the template and its service, as ratios of one run: `make bench`."""
