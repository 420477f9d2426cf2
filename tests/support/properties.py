"""Settings of property tests."""

from hypothesis import HealthCheck, settings

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Without time limits, which a busy machine would break."""
