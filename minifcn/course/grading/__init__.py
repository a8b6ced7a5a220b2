"""Grading a class: submissions found, checked side by side, and written as schools want them."""
