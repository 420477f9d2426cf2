"""The segment model: encoding, representations, methods, the search, names, export."""
