"""What this machine computes with: its processor and cores, NumPy's matrix library, its GPU."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "OMP_NUM_THREADS",
)
"""How many threads a matrix library may use; of those that it reads, the first counts."""

OVERRIDES = {
    "OPENBLAS_CORETYPE": "OpenBLAS runs its {} kernels, whatever the processor is",
    "OPENBLAS_L2_SIZE": "OpenBLAS cuts matrices for a cache of {} KiB, whatever there is",
    "MKL_ENABLE_INSTRUCTIONS": "MKL uses no newer instructions than {}",
    "MKL_CBWR": "MKL gives the bits of {}, not those of its fastest code",
    "MKL_THREADING_LAYER": "MKL shares out its work by {}",
    "BLIS_ARCH_TYPE": "BLIS runs its {} kernels, whatever the processor is",
    "NPY_DISABLE_CPU_FEATURES": "NumPy is told to leave out its code for {}",
    "NPY_ENABLE_CPU_FEATURES": "NumPy is told to leave out its code for all but {}",
}
"""Variables that decide what NumPy and its matrix library find out by themselves, and how."""

_READ = {
    "openblas": ("OPENBLAS_", "GOTO_", "OMP_"),
    "mkl": ("MKL_", "OMP_"),
    "blis": ("BLIS_", "OMP_"),
}
"""How the variables begin that a matrix library reads."""

_KERNELS = {
    "avx512f": ("skylakex", "cooperlake", "sapphirerapids"),
    "avx2": ("haswell", "zen", "excavator"),
}
"""What OpenBLAS calls its kernels for processors with these instructions, the widest first."""


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


def overrides() -> dict[str, str]:
    """Return the variables of OVERRIDES that are set and are read here, with their values."""
    return {name: os.environ[name] for name in OVERRIDES if os.environ.get(name) and _is_read(name)}


def effects() -> list[str]:
    """Say of each override that is set what it does."""
    found = overrides().items()
    return [f"{name}={value}: {OVERRIDES[name].format(value)}" for name, value in found]


def advice() -> str | None:
    """What would make matrix products faster, if anything."""
    slowing = [name for name, value in overrides().items() if not _is_best(name, value)]
    if names := [*slowing, *_limits()]:
        return f"run without what may slow it down: {without(names, 'minifcn train')}"
    if "OPENBLAS_CORETYPE" not in overrides() and _leaves_avx512_idle():
        return (
            "this OpenBLAS chose kernels without AVX-512, which the processor has: a newer NumPy"
            " may bring one that knows it; else set OPENBLAS_CORETYPE=SkylakeX"
        )
    return None


def warning(command: str) -> str | None:
    """Say that measured times are not those of the machine as it is, where overrides are set."""
    if not (found := overrides()):
        return None
    named = " and ".join(f"{name}={value}" for name, value in found.items())
    return f"times depend on {named}; without: {without(list(found), command)}"


def without(names: Sequence[str], command: str) -> str:
    """Return the line that runs a command without these variables; on Windows one of cmd."""
    if platform.system() == "Windows":
        return 'cmd /c "' + "&& ".join([*(f"set {name}=" for name in names), command]) + '"'
    return " ".join(["env", *(f"-u {name}" for name in names), command])


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


def _is_read(name: str) -> bool:
    """Whether NumPy, or the matrix library that it has here, reads a variable."""
    libraries = [library["internal_api"] for library in _blas_libraries()]
    known = [start for library in libraries for start in _READ.get(library, ())]
    return name.startswith(("NPY_", *known))


def _is_best(name: str, value: str) -> bool:
    """Whether an override names the kernels that are the fastest for this processor anyway."""
    flags = _cpuinfo("flags").split()
    widest = next((kernels for flag, kernels in _KERNELS.items() if flag in flags), ())
    return name == "OPENBLAS_CORETYPE" and value.lower() in widest


def _limits() -> Iterator[str]:
    """Yield the variables that leave cores idle; those after one that does not are not read."""
    for name in filter(_is_read, THREAD_VARIABLES):
        count = os.environ.get(name, "").partition(",")[0].strip()
        if count.isdecimal() and int(count):
            if int(count) >= cores():
                return
            yield name


def _leaves_avx512_idle() -> bool:
    names = [str(library.get("architecture")).lower() for library in _blas_libraries()]
    return "avx512f" in _cpuinfo("flags").split() and any(n in _KERNELS["avx2"] for n in names)


def _cpuinfo(name: str) -> str:
    """A value of the first processor in Linux's list; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    values = [line.partition(":")[2].strip() for line in lines if line.startswith(name)]
    return values[0] if values else ""
