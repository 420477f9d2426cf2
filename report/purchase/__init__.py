"""The report of a purchase model: whom to call, what it earns, and how far to believe it."""
