"""Packages that tests use if they are installed, and packages that tests pretend to be."""

import pytest

from minifcn.models.pretrained import locate


def need(*sources):
    """Skip a test, and say why, unless the files of these installed packages are there."""
    for source in sources:
        try:
            locate(source)
        except ValueError as reason:
            pytest.skip(str(reason))


def pretend(folder, source, content, version="7.8"):
    """Install a package that has one file into a folder, which is to be on the import path."""
    path = folder / source.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    info = folder / f"{source.package.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {source.package}\nVersion: {version}\n"
    )
    return path
