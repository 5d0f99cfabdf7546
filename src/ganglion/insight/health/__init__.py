"""The health check: measurements of a network and its training, and a list of what is wrong with them.

`health.py` holds the public names, `measure.py` the numbers of each layer, `subject.py` the network, rows and
run under examination and the short trials that answer "what if", `findings.py` the list of findings, with a
file for each group, and `snippets.py` remedies as code.
"""

from ganglion.insight.health.finding import Finding
from ganglion.insight.health.health import Health, HealthCheck, check_health

__all__ = ["Finding", "Health", "HealthCheck", "check_health"]
