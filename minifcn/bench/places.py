"""Where a side of the benchmark computes: how it makes arrays, waits for results, counts memory.

All that the benchmark says to CuPy and to torch.cuda is said here, in few words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

TF32 = {"torch_fp32": False, "torch_tf32": True}
"""The two PyTorchs on a GPU, and whether they round the inputs of convolutions to 10 bits.

They do by default, and not those of other matrix products. minifcn never does.
"""


class CPU:
    """The CPU and NumPy: the work of a call is done when it returns."""

    device = "cpu"
    seconds = 0.1
    """How long to time a piece of work in one turn."""
    warm_up = 0.0
    """Seconds of calls that are not counted, beside the first two."""
    together = 0.0
    """Seconds of calls that are timed together, and then waited for."""

    def put(self, array: np.ndarray) -> Any:
        """Return the array where the side computes."""
        return array

    def wait(self) -> None:
        """Return when all work is done."""

    def facts(self) -> dict[str, Any]:
        """What to know about the side; 'problem', if it cannot compute."""
        return {}

    def memory(self) -> dict[str, int] | None:
        """Bytes: 'base', held now and not to be counted, and 'peak', the most there ever were.

        None where the system does not say. On a GPU the peak is the one since the last call, the
        base is 0, and 'held' is what the library took from the GPU for it.
        """
        status = Path("/proc/self/status")
        if not status.exists():
            return None
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return {
            name: int(fields[key].split()[0]) * 1024
            for name, key in (("base", "VmRSS"), ("peak", "VmHWM"))
        }


class TorchCPU(CPU):
    """The CPU and PyTorch."""

    def __init__(self, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.torch = torch

    def put(self, array: np.ndarray) -> Any:
        """Return the array as a tensor."""
        return self.torch.from_numpy(array)


class GPU(CPU):
    """A GPU: calls return when it has been told what to do; a loop of them keeps it busy."""

    device = "cuda"
    seconds, warm_up, together = 0.03, 0.01, 0.003


class CupyGPU(GPU):
    """The GPU and CuPy."""

    def __init__(self) -> None:
        import cupy

        self.cupy = cupy
        self.watch: Any = None

    def put(self, array: np.ndarray) -> Any:
        """Return a copy on the GPU."""
        return self.cupy.asarray(array)

    def wait(self) -> None:
        """Return when the GPU has done all it was told."""
        self.cupy.cuda.Device().synchronize()

    def facts(self) -> dict[str, Any]:
        """The GPU, and the versions of what drives it."""
        runtime = self.cupy.cuda.runtime
        return {
            "gpu": runtime.getDeviceProperties(runtime.getDevice())["name"].decode(),
            "cupy": self.cupy.__version__,
            "cuda": _version(runtime.runtimeGetVersion()),
            "driver": _version(runtime.driverGetVersion()),
            "tf32": "off",
        }

    def memory(self) -> dict[str, int]:
        """What the arrays in CuPy's pool take; the pool starts anew."""
        pool = self.cupy.get_default_memory_pool()
        if self.watch is None:
            self.watch = _watch(self.cupy.cuda.MemoryHook, pool)
        memory = {"base": 0, "peak": self.watch.peak, "held": pool.total_bytes()}
        pool.free_all_blocks()
        self.watch.peak = pool.used_bytes()
        return memory


def _version(number: int) -> str:
    """13020 is version 13.2."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _watch(hook: Any, pool: Any) -> Any:
    """Look at the pool after each allocation from now on; `peak` is the most that was used."""

    class Watch(hook):
        name = "Watch"
        peak = 0

        def malloc_postprocess(self, **allocation: Any) -> None:
            self.peak = max(self.peak, pool.used_bytes())

    return Watch().__enter__()


class TorchGPU(GPU):
    """The GPU and PyTorch, with TF32 in convolutions or without, and its fastest algorithms."""

    def __init__(self, tf32: bool) -> None:
        import torch

        self.torch = torch
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = True  # tries them all, in the first calls

    def put(self, array: np.ndarray) -> Any:
        """Return a copy on the GPU."""
        return self.torch.from_numpy(array).to(self.device)

    def wait(self) -> None:
        """Return when the GPU has done all it was told."""
        self.torch.cuda.synchronize()

    def facts(self) -> dict[str, Any]:
        """The GPU, versions, and the settings that decide about speed and precision."""
        torch = self.torch
        if not torch.cuda.is_available():
            why = "finds no GPU" if torch.version.cuda else "was built without CUDA"
            return {"problem": f"PyTorch {torch.__version__} {why}"}
        switch = {True: "on", False: "off"}
        return {
            "gpu": torch.cuda.get_device_name(),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "cudnn.allow_tf32 (convolutions)": switch[torch.backends.cudnn.allow_tf32],
            "matmul.allow_tf32": switch[torch.backends.cuda.matmul.allow_tf32],
            "cudnn.benchmark": switch[torch.backends.cudnn.benchmark],
        }

    def memory(self) -> dict[str, int]:
        """What PyTorch's tensors and workspaces take; its cache starts anew."""
        cuda = self.torch.cuda
        memory = {
            "base": 0,
            "peak": cuda.max_memory_allocated(),
            "held": cuda.max_memory_reserved(),
        }
        cuda.empty_cache()
        cuda.reset_peak_memory_stats()
        return memory


def place(side: str, device: str, threads: int) -> CPU:
    """Return where a side computes."""
    if side in TF32:
        return TorchGPU(TF32[side])
    if device == "cuda":
        return CupyGPU()
    return TorchCPU(threads) if side == "torch" else CPU()
