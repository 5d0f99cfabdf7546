"""Training one update at a time, forward and back, exactly; and the first update at which something holds.

`stepper.py` moves a network through its run, and `when.py` holds conditions to look for.
"""

from ganglion.stepping import when as when
from ganglion.stepping.stepper import Found as Found, Stepper as Stepper
