"""Keeps the folder of a model server equal to an object store: `python -m serving.sync`."""
