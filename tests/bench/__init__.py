"""What Brisk costs, as ratios within one run on one machine. `python -m tests.bench`."""
