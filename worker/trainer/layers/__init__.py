"""The layers: in each module a forward pass and, beside it, its backward pass, written by hand."""
