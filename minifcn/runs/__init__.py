"""Training runs, each in a folder of its own: choices, data, steps, log, checkpoints, results."""
