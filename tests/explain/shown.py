"""What a page shows, read from its tables."""

import numpy as np

HOVER = "() => document.querySelectorAll('td.linked').length"

_READ = """name => {
  const section = document.querySelector(`section[aria-label="${name}"]`);
  return [...section.querySelectorAll("table")].map(table => [...table.rows].map(row =>
    [...row.cells].filter(cell => !cell.classList.contains("pad")).map(cell => cell.textContent))
    .filter(row => row.length));
}"""


def texts(page, name):
    """The cells of an array, plane by plane, as the page writes them."""
    return page.evaluate(_READ, name)


def numbers(page, name):
    """The numbers of an array, (planes, H, W); NaN where none is known."""
    return np.array([
        [[number(cell) for cell in row] for row in plane] for plane in texts(page, name)
    ])  # fmt: skip


def number(cell):
    """A number as the page writes it."""
    return float(cell.replace("−", "-") or "nan")


def cell(page, name, row, column, plane=0):
    """A number of an array, in coordinates that leave out the padding."""
    return page.locator(f'section[aria-label="{name}"] td[data-at="{plane},{row},{column}"]')


def marked(page, kind):
    """Which numbers have a class, such as 'read': pairs of array and place."""
    return set(page.evaluate(
        """kind => [...document.querySelectorAll(`#panels td.${kind}`)].map(td =>
          `${td.closest("section").getAttribute("aria-label")} ${td.dataset.at}`)""", kind
    ))  # fmt: skip
