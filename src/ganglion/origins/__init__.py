"""The origins of neural networks: the nerve cell, learning synapses, threshold units, the perceptron."""

from ganglion.origins.perceptron import McCullochPitts, Perceptron
from ganglion.origins.spiking import Recording, SpikingNeuron
from ganglion.origins.synapses import STDP, Hebb, Oja, SynapticRule

__all__ = [
    "Hebb",
    "McCullochPitts",
    "Oja",
    "Perceptron",
    "Recording",
    "STDP",
    "SpikingNeuron",
    "SynapticRule",
]
