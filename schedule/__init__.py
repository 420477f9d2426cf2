"""Continuous training: when a model is trained again, on which spans, and which version serves."""
