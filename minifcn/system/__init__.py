"""Below everything: files that are written whole, and Ctrl-C in the first moments of a command."""
