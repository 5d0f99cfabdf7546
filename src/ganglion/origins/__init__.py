"""Where it came from: the nerve cell, synapses that learn, threshold units, the perceptron."""
