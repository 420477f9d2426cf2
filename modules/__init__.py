"""The code that TFX components import: parts shared by all models, and one package for each model."""
