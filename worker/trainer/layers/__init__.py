"""What networks are made of: each function with its derivative beside it, on plain tensors of any float type."""
