"""The campaign desk: the marketing team's application, from a list of customers to calls that pay, and back."""
