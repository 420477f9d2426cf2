"""Numbers about rows and scores, from numpy, scipy and scikit-learn alone: metrics, profit, importance, profiles."""
