"""For teaching: what the tutorials share, where they are, and notebooks of them."""
