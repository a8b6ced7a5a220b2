"""The bank of mistakes: for each exercise its references with switches, its cases and its hints."""
