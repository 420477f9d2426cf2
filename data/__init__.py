"""What a customer row is: contracts and their drafts, the CSV reader, downloads and the synthetic sample."""
