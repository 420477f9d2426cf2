"""Scoring files of customers in bulk, without a server: `python -m pipeline.score`."""
