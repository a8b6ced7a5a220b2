"""minifcn doctor: what this machine brings, and advice."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import time
from typing import Any

import numpy as np

import minifcn
from minifcn import backend, machine
from minifcn.commands import options
from minifcn.cuda_on_cpu.compiler import gpp

PACKAGES = ("numpy", "pillow", "matplotlib", "tqdm", "safetensors", "torch", "cupy-cuda13x",
            "cupy-cuda12x")  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe how the facts are printed."""
    parser.description = "Say which libraries, matrix library, cores and GPU minifcn would use."
    options.add_json(parser)


def run(choices: argparse.Namespace) -> None:
    """Print what this machine brings."""
    facts = diagnose()
    if choices.json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name:15} {value}")


def diagnose() -> dict[str, Any]:
    """Return facts about this machine, by name: versions, matrix library and its speed, GPU."""
    return {
        "minifcn": minifcn.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": machine.processor(),
        **{name: _version(name) for name in PACKAGES},
        "blas": machine.blas(),
        "threads": _threads(),
        **({"environment": "; ".join(effects)} if (effects := machine.effects()) else {}),
        "matrix product": f"{_gflops():.0f} GFLOP/s (float32, 1024 x 1024)",
        **({"advice": advice} if (advice := machine.advice()) else {}),
        "gpu": _gpu(),
        "cuda on the cpu": _compiler(),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _gpu() -> str:
    problem = backend.why_no_gpu()
    return machine.gpu() if problem is None else f"not used: {problem}"


def _compiler() -> str:
    """What runs CUDA kernels without a GPU."""
    try:
        return gpp("--version").splitlines()[0]
    except RuntimeError:
        return "not there: it needs g++"


def _threads() -> str:
    limits = [
        f"{name}={os.environ[name]}" for name in machine.THREAD_VARIABLES if name in os.environ
    ]
    return f"{machine.cores()} cores usable; {', '.join(limits) or 'no limit set'}"


def _gflops(n: int = 1024, repeats: int = 5) -> float:
    """Speed of the matrix product, on which a convolution's speed rests; the best of a few runs."""
    a = np.ones((n, n), np.float32)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - start)
    return 2 * n**3 / min(times) / 1e9
