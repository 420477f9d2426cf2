"""The Grafana dashboards, written as Python; `python -m monitoring.dashboards` writes their JSON files."""

from monitoring.dashboards.campaigns import CAMPAIGNS
from monitoring.dashboards.model_and_data import MODEL_AND_DATA
from monitoring.dashboards.service import SERVICE

DASHBOARDS = (SERVICE, MODEL_AND_DATA, CAMPAIGNS)
