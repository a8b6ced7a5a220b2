"""The package as one file, which a page of the book unpacks in the browser (docs/BROWSER.md)."""

import zipfile
from pathlib import Path

import minifcn


def write_package(folder: Path) -> None:
    """Write minifcn.zip into a folder; equal files of the package give equal bytes."""
    package = Path(minifcn.__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "minifcn.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(package.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = zipfile.ZipInfo(path.relative_to(package.parent).as_posix())
                name.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(name, path.read_bytes())
