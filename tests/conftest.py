"""Settings of all tests."""

from hypothesis import HealthCheck, settings

# By default Hypothesis fails an example that takes 200 ms, and a strategy that is slow: on a busy machine any may be.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")
