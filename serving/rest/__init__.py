"""TF Serving's REST interface: HTTP, JSON, requests and answers."""
