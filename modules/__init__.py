"""What the TFX components import: transform, network, training, tuning, signatures and evaluation."""
