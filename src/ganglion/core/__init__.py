"""What a network is: pure functions of NumPy arrays, without I/O."""
