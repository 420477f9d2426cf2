"""Gathers the result of a run from its artifacts, one module for each kind of model."""
