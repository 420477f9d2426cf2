"""The report of a segmentation: what kinds of customers there are, what to offer them, and how far to believe it."""
