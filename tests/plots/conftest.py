"""What the tests of the pictures share: a look at the figure that a function drew."""

import pytest
from matplotlib.figure import Figure

from minifcn.plots import canvas


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, in order."""
    figures: list[Figure] = []
    save = canvas._save

    def keep(figure, path):
        figures.append(figure)
        save(figure, path)

    monkeypatch.setattr(canvas, "_save", keep)
    return figures
