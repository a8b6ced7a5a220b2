"""The pages that step through operations, each in a frame of a page of the book."""

from __future__ import annotations

from maker.contents import EXTRA, MADE, STEPS_OF, TUTORIALS, number_of, toctree, write
from minifcn.explain import OPERATIONS, make_page

_INDEX = """\
# Step by step

Pages that compute an operation number by number, forward and backward: change a number, a stride, a
padding, and step. They need no connection: each computes by itself, and compares itself with
minifcn's kernels when it is opened. `minifcn explain` writes the same pages as files of your own.

| operation | tutorial |
|---|---|
"""

_FRAME = """\
---
hide-toc: true
---

# Step through {name}

{tutorials}<a href="../../explain/{name}.html">Open it on a page of its own</a>.

```{{raw}} html
<iframe class="steps" src="../../explain/{name}.html" title="{name}, step by step"></iframe>
<script src="../../_static/steps.js"></script>
```
"""


def write_steps() -> None:
    """Write the pages themselves, one for each operation, and those that frame them."""
    rows = []
    for name in OPERATIONS:
        write(EXTRA / "explain" / f"{name}.html", make_page([name]))
        told = ", ".join(
            f"[{number_of(path):02}](../tutorials/{path.stem}.ipynb)"
            for path in TUTORIALS
            if name in STEPS_OF.get(number_of(path), [])
        )
        before = f"Explained in tutorial {told}. " if told else ""
        write(MADE / "steps" / f"{name}.md", _FRAME.format(name=name, tutorials=before))
        rows.append(f"| [`{name}`]({name}.md) | {told} |\n")
    text = _INDEX + "".join(rows) + toctree(OPERATIONS)
    write(MADE / "steps" / "README.md", text)
