"""The ledger of runs: their summaries, comparison, pruning, the lock, and MLflow."""
