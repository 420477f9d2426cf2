"""Watches model servers and their customers: an exporter, drift, Prometheus rules and Grafana dashboards.

`python -m monitoring` shows all of it on one machine.
"""
