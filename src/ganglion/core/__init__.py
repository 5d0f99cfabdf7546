"""What a network is: pure functions on NumPy arrays, no input or output."""
