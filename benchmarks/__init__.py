"""What the template and its service cost, as ratios measured in one run: `make bench`."""
