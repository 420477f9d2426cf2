"""What a customer row is: contracts, the CSV reader, downloads and the synthetic sample."""
