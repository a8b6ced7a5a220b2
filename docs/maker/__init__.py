"""Makes the book's pages out of the repository's files, for docs/conf.py."""
