"""The health check: what can be measured of a network and its training, and what is wrong with them.

`health.py` holds what people meet, `measure.py` the numbers of each layer, `subject.py` what is looked at
and the short trials that answer "what if", `findings.py` the list of findings with a file for each group,
`snippets.py` remedies as code.
"""

from ganglion.insight.health.finding import Finding
from ganglion.insight.health.health import Health, HealthCheck, check_health

__all__ = ["Finding", "Health", "HealthCheck", "check_health"]
