"""The TFX pipeline: its settings, its graph, its own components and its command line."""
