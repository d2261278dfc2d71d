"""What may take the place of a layer's weight: it is computed from stored parameters in every forward pass."""
