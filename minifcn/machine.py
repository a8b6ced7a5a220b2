"""What this machine computes with: its processor and cores, NumPy's matrix library, its GPU."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_WITHOUT_AVX512 = ("Haswell", "Zen")
"""What OpenBLAS calls its kernels for processors with AVX2 only."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The name of the processor, where the system tells it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def blas() -> str:
    """The matrix library of NumPy, and for which processors its kernels were written."""
    return ", ".join(
        f"{library['internal_api']} {library['version']}"
        f" ({library.get('architecture', 'unknown')} kernels)"
        for library in _blas_libraries()
    )


def advice() -> str | None:
    """What would make the matrix library faster, if anything; it does not know every processor."""
    names = [library.get("architecture") for library in _blas_libraries()]
    if "avx512f" in _cpuinfo("flags").split() and any(name in _WITHOUT_AVX512 for name in names):
        return (
            "set OPENBLAS_CORETYPE=SkylakeX: BLAS does not know this processor, and does not use"
            " its AVX-512"
        )
    return None


def gpu() -> str:
    """The GPU that CuPy uses, and the versions of what drives it; only where a GPU works."""
    import cupy

    runtime = cupy.cuda.runtime
    number = runtime.getDevice()
    properties = runtime.getDeviceProperties(number)
    versions = (runtime.runtimeGetVersion(), runtime.driverGetVersion())
    cuda, driver = (f"{v // 1000}.{v % 1000 // 10}" for v in versions)
    capability = f"{properties['major']}.{properties['minor']}"
    return (
        f"{properties['name'].decode()} ({properties['totalGlobalMem'] / 2**30:.1f} GiB, compute"
        f" capability {capability}), CuPy {cupy.__version__}, CUDA {cuda}, driver for {driver}"
    )


def _blas_libraries() -> list[dict[str, Any]]:
    from threadpoolctl import threadpool_info

    return [library for library in threadpool_info() if library["user_api"] == "blas"]


def _cpuinfo(name: str) -> str:
    """A value of the first processor in Linux's list; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    values = [line.partition(":")[2].strip() for line in lines if line.startswith(name)]
    return values[0] if values else ""
