"""The purchase model: preprocessing, network, training, calibration, export, evaluation, baselines."""
