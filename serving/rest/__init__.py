"""TensorFlow Serving's REST interface: HTTP, JSON, requests and responses."""
