"""What each operation does to second moments and to gradients: one file per law."""
