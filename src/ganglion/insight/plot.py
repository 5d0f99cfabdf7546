"""Pictures of a network, its history and its parts."""
