"""For teaching: what the tutorials share, notebooks of them, and exercises that are checked."""

from minifcn.course.exercises.notebook import check

__all__ = ["check"]
