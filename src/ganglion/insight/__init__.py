"""How a person looks inside a network: the trace, what moved a prediction, the health check, pictures."""
