"""Watches a model server and its customers: exporter, drift, Prometheus rules, Grafana dashboards.

`python -m monitoring` shows it all on one machine. Knows the data package and the server's HTTP surface, nothing else.
"""
