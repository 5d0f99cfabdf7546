"""How a network learns: optimizers, schedules, the loop, and what stops it."""
