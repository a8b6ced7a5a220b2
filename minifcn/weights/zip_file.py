"""Zip archives from strangers: checked before anything is inflated."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from minifcn.weights.keys import brief

MAX_RATIO = 20
"""How many times the size of the file its contents may be; weights hardly shrink at all."""
ALWAYS_ALLOWED = 2**26
"""Contents of 64 MiB are allowed in a file of any size: zeros do shrink."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DAMAGE = (
    *(ValueError, TypeError, LookupError, EOFError, OverflowError, MemoryError, RuntimeError),
    *(SyntaxError, tokenize.TokenError, struct.error, zlib.error, zipfile.BadZipFile),
)
"""What Python's and NumPy's readers raise for damaged files."""


class Archive:
    """A zip archive; `sizes` maps the names of its members to their sizes in bytes.

    Raises:
        ValueError: two members have one name, a member is encrypted or compressed in a rare way,
            or together they would become unreasonably large (a zip bomb).
    """

    def __init__(self, path: Path) -> None:
        self.file = zipfile.ZipFile(path)
        members = self.file.infolist()
        self.sizes = {member.filename: member.file_size for member in members}
        try:
            _check_members(members, path.stat().st_size)
        except ValueError:
            self.file.close()
            raise

    def read(self, name: str) -> bytes:
        """Return the contents of a member, which are never more than its size in `sizes`."""
        if name not in self.sizes:
            raise ValueError(f"{brief(name)} is missing")
        return self.file.read(name)

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()


def _check_members(members: list[zipfile.ZipInfo], file_size: int) -> None:
    names = set()
    for member in members:
        if member.filename in names:
            raise ValueError(f"two members are called {brief(member.filename)}")
        names.add(member.filename)
        if member.flag_bits & 1 or member.compress_type not in METHODS:
            raise ValueError(f"{brief(member.filename)} is encrypted, or compressed in a rare way")
    total = sum(member.file_size for member in members)
    if total > max(MAX_RATIO * file_size, ALWAYS_ALLOWED):
        raise ValueError(f"a zip bomb: {total:,} bytes in a file of {file_size:,}")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file makes a reader raise into one ValueError of one line."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or 'cannot be read'}") from error
    except DAMAGE as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise ValueError(f"{path}: not readable weights ({lines[0][:200]})") from error
