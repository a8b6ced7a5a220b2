"""Where sides compute; a GPU is played by the stand-in for CuPy, and PyTorch's by the CPU."""

import io
import json
import sys
from dataclasses import replace
from operator import attrgetter
from types import SimpleNamespace

import fake_cupy
import numpy as np
import pytest

from minifcn import backend
from minifcn.bench import compare, format_table, places, runner, worker
from minifcn.bench.places import CPU, CupyGPU, TorchCPU, TorchGPU, place
from minifcn.bench.sides import limit_call, minifcn_call
from minifcn.bench.work import NETWORKS, Work

PRODUCT = Work("conv2d", "forward", 1, 4, 8, 2, 3, 1, 1)
COPY = Work("max_pool2d", "backward", 1, 2, 4, kernel=2, stride=2)
STEP = Work("network", "step", batch=1, size=32)


def test_the_cpu_is_ready_when_a_call_returns():
    cpu, x = CPU(), np.ones(2)
    assert cpu.put(x) is x
    assert cpu.wait() is None
    assert cpu.facts() == {}
    assert (cpu.warm_up, cpu.together) == (0, 0)


def test_memory_in_use_is_read_from_proc(monkeypatch, tmp_path):
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmHWM:\t  300 kB\nVmRSS:\t  200 kB\nThreads:\t1\n")
    monkeypatch.setattr(places, "Path", lambda path: {"/proc/self/status": status}[path])
    assert CPU().memory() == {"base": 200 * 1024, "peak": 300 * 1024}
    status.unlink()
    assert CPU().memory() is None


# -- CuPy -----------------------------------------------------------------------------------------


class Pool:
    """A memory pool: what was allocated, as told; the hooks hear of it."""

    def __init__(self):
        self.used, self.total, self.hooks = 0, 0, []

    def used_bytes(self):
        return self.used

    def total_bytes(self):
        return self.total

    def free_all_blocks(self):
        self.total = self.used

    def change(self, amount):
        self.used += amount
        self.total = max(self.total, self.used)
        for hook in self.hooks * (amount > 0):
            hook.malloc_postprocess(device_id=0, size=amount, mem_size=amount, mem_ptr=1, pmem_id=2)


@pytest.fixture
def cupy(monkeypatch):
    """CuPy's stand-in, with the few things that only the benchmark uses."""
    pool, waits = Pool(), []

    class MemoryHook:
        def __enter__(self):
            pool.hooks.append(self)
            return self

    def matmul(a, b, out):
        out[...] = a @ b

    def copyto(target, source):
        target[...] = source

    class Device(fake_cupy.cuda.Device):
        def synchronize(self):
            waits.append(self.id)

    monkeypatch.setitem(sys.modules, "cupy", fake_cupy)
    extra = {"matmul": matmul, "copyto": copyto, "get_default_memory_pool": lambda: pool,
             "waits": waits, "pool": pool}  # fmt: skip
    for name, value in extra.items():
        monkeypatch.setattr(fake_cupy, name, value, raising=False)
    monkeypatch.setattr(fake_cupy.cuda, "MemoryHook", MemoryHook, raising=False)
    monkeypatch.setattr(fake_cupy.cuda, "Device", Device)
    backend.try_gpu.cache_clear()
    yield fake_cupy
    backend.try_gpu.cache_clear()


def test_arrays_are_put_on_the_gpu_and_waited_for(cupy):
    gpu, x = CupyGPU(), np.arange(6, dtype=np.float32).reshape(2, 3)
    there = gpu.put(x)
    assert isinstance(there, cupy.ndarray)
    np.testing.assert_array_equal(there.get(), x)
    gpu.wait()
    assert cupy.waits == [0]
    assert gpu.device == backend.device(there) == "cuda"
    assert gpu.warm_up > 0 < gpu.together


def test_the_gpu_and_its_versions_are_facts(cupy):
    assert CupyGPU().facts() == {
        "gpu": "Imaginary GPU", "cupy": "0.0.0", "cuda": "13.2", "driver": "13.1", "tf32": "off",
    }  # fmt: skip


def test_memory_is_the_peak_since_the_last_time_and_what_the_pool_holds(cupy):
    gpu, pool = CupyGPU(), cupy.pool
    pool.change(100)
    pool.change(-60)
    gpu.memory()  # from now on
    assert pool.total == 40
    for amount in (20, 30, -50, 5):
        pool.change(amount)
    assert gpu.memory() == {"base": 0, "peak": 90, "held": 90}
    pool.change(-5)
    assert gpu.memory() == {"base": 0, "peak": 45, "held": 45}  # used at the start counts
    assert gpu.memory() == {"base": 0, "peak": 40, "held": 40}
    assert len(pool.hooks) == 1


def test_limits_on_the_gpu(cupy):
    call = limit_call(PRODUCT, CupyGPU())
    a, b, out = (dict(zip(call.__code__.co_freevars, call.__closure__, strict=True))[name]
                 .cell_contents for name in ("a", "b", "out"))  # fmt: skip
    call()
    np.testing.assert_array_equal(out.get(), a.get() @ b.get())
    assert limit_call(COPY, CupyGPU())() is None
    assert limit_call(STEP, CupyGPU()) is None


@pytest.mark.cuda_on_cpu
@pytest.mark.parametrize("work", [PRODUCT, COPY], ids=lambda work: work.kind)
def test_minifcn_runs_its_cuda_kernels(cupy, work):
    """And computes what it does on the CPU."""
    found, expected = (minifcn_call(work, where)() for where in (CupyGPU(), CPU()))
    assert isinstance(found, cupy.ndarray)
    np.testing.assert_allclose(found.get(), expected, rtol=1e-4, atol=1e-4)


@pytest.fixture
def tiny_network(monkeypatch):
    """A network that the CPU gets through soon, played as a GPU."""
    tiny = replace(NETWORKS["small"], widths=(2,) * 5, head_width=2)
    monkeypatch.setitem(NETWORKS, "small", tiny)


@pytest.mark.cuda_on_cpu
def test_minifcn_trains_there(cupy, monkeypatch, tiny_network):
    updated = []
    update = lambda *arrays: updated.append([type(array) for array in arrays[:3]])
    monkeypatch.setattr("minifcn.kernels.gpu.sgd_update", update)
    assert minifcn_call(STEP, CupyGPU())() is None
    assert updated == [[cupy.ndarray] * 3] * 30


def test_the_real_cupy_has_what_is_played_here():
    """As far as that shows without a GPU; no hook has been called by it yet."""
    cupy = pytest.importorskip("cupy")
    hook = places._watch(cupy.cuda.MemoryHook, cupy.get_default_memory_pool())
    try:
        assert isinstance(hook, cupy.cuda.MemoryHook)
        assert callable(cupy.cuda.MemoryHook.malloc_postprocess)  # which ours stands in for
        assert hook.peak == 0
    finally:
        hook.__exit__(None, None, None)
    for name in ("used_bytes", "total_bytes", "free_all_blocks"):
        assert callable(getattr(cupy.get_default_memory_pool(), name))
    for name in ("asarray", "matmul", "copyto", "cuda.Device.synchronize",
                 "cuda.runtime.getDeviceProperties", "cuda.runtime.runtimeGetVersion",
                 "cuda.runtime.driverGetVersion", "cuda.runtime.getDevice"):  # fmt: skip
        assert callable(attrgetter(name)(cupy)), name


# -- PyTorch --------------------------------------------------------------------------------------


@pytest.fixture
def torch(monkeypatch):
    """PyTorch as it is on a GPU, on the CPU."""
    torch = pytest.importorskip("torch")
    asked = []
    tell = lambda name, value=None: lambda *arguments: asked.append(name) or value
    functions = {"synchronize": None, "is_available": True, "get_device_name": "Imaginary GPU",
                 "max_memory_allocated": 30, "max_memory_reserved": 50, "empty_cache": None,
                 "reset_peak_memory_stats": None}  # fmt: skip
    for name, value in functions.items():
        monkeypatch.setattr(torch.cuda, name, tell(name, value))
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    monkeypatch.setattr(TorchGPU, "device", "cpu")
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, cudnn.benchmark, matmul.allow_tf32
    yield SimpleNamespace(real=torch, asked=asked)
    cudnn.allow_tf32, cudnn.benchmark, matmul.allow_tf32 = before


@pytest.mark.oracle
@pytest.mark.parametrize(("side", "convolutions"), [("torch_fp32", "off"), ("torch_tf32", "on")])
def test_the_two_pytorchs_differ_in_tf32_of_convolutions_alone(torch, side, convolutions):
    torch.real.backends.cuda.matmul.allow_tf32 = True
    torch.real.backends.cudnn.allow_tf32 = convolutions == "off"
    assert place(side, "cuda", 1).facts() == {
        "gpu": "Imaginary GPU",
        "torch": torch.real.__version__,
        "cuda": "13.0",
        "cudnn": 91002,
        "cudnn.allow_tf32 (convolutions)": convolutions,
        "matmul.allow_tf32": "off",
        "cudnn.benchmark": "on",
    }
    assert torch.real.backends.cudnn.allow_tf32 == (convolutions == "on")


@pytest.mark.oracle
def test_pytorch_waits_and_counts_memory(torch):
    gpu = TorchGPU(False)
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(gpu.put(x).numpy(), x)
    gpu.wait()
    assert torch.asked == ["synchronize"]
    assert gpu.memory() == {"base": 0, "peak": 30, "held": 50}
    assert torch.asked[-2:] == ["empty_cache", "reset_peak_memory_stats"]


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("cuda", "why"), [(None, "was built without CUDA"), ("13.0", "finds no GPU")]
)
def test_a_pytorch_that_cannot_use_the_gpu_says_why(torch, monkeypatch, cuda, why):
    monkeypatch.setattr(torch.real.version, "cuda", cuda)
    monkeypatch.setattr(torch.real.cuda, "is_available", lambda: False)
    version = torch.real.__version__
    assert TorchGPU(True).facts() == {"problem": f"PyTorch {version} {why}"}


@pytest.mark.oracle
def test_where_each_side_computes(torch, cupy):
    assert type(place("minifcn", "cpu", 1)) is type(place("limit", "cpu", 1)) is CPU
    assert type(place("minifcn", "cuda", 1)) is type(place("limit", "cuda", 1)) is CupyGPU
    assert type(place("torch", "cpu", 1)) is TorchCPU
    assert type(place("torch_fp32", "cuda", 1)) is type(place("torch_tf32", "cuda", 1)) is TorchGPU
    assert set(places.TF32) == {"torch_fp32", "torch_tf32"}


# -- The whole, with workers in this process ------------------------------------------------------


class Here:
    """A worker that is no process of its own."""

    def __init__(self, side, threads, device):
        self.arguments = (side, threads, device)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def ask(self, request):
        stdin, stdout = io.StringIO(json.dumps(request) + "\n"), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", stdin)
            patch.setattr("sys.stdout", stdout)
            worker.main(*self.arguments)
        return json.loads(stdout.getvalue())


@pytest.mark.oracle
@pytest.mark.cuda_on_cpu
def test_a_comparison_on_a_gpu(torch, cupy, monkeypatch, tiny_network):
    """Nothing but the GPU is missing: what is told to the two libraries, and what comes of it."""
    monkeypatch.setattr(runner, "_Worker", Here)
    monkeypatch.setattr(worker.gc, "collect", lambda: None)  # takes long in a process so large
    monkeypatch.setattr(runner, "standard_work", lambda device: [STEP, PRODUCT, COPY])
    monkeypatch.setattr(runner, "network_work", lambda device: [STEP])
    monkeypatch.setattr(worker, "_time", lambda call, place: [worker._seconds(call, 1, place)])
    results = compare("torch", "all", 1, 1, device="cuda")
    assert json.loads(json.dumps(results)) == results
    assert [row["name"] for row in results["rows"]] == [w.name for w in (STEP, PRODUCT, COPY)]
    for row in results["rows"]:
        sides = ("minifcn", "torch_fp32", "torch_tf32")
        ours, *theirs = (row[f"{side}_ms"] for side in sides)
        assert [ours / t for t in theirs] == [row["ratio_fp32"], row["ratio_tf32"]]
        assert bool(row["limit_ms"]) == (row["name"] != STEP.name)
    assert results["environment"]["gpu"].startswith("Imaginary GPU (1.5 GiB")
    assert list(results["sides"]) == ["minifcn", "torch_fp32", "torch_tf32"]
    (memory,) = results["memory"]
    assert (memory["torch_fp32_bytes"], memory["torch_tf32_held_bytes"]) == (30, 50)
    assert len(cupy.pool.hooks) == 2  # for each time that a worker was asked, as it is a new one
    assert cupy.waits
    assert "synchronize" in torch.asked
    text = format_table(results)
    assert "\ntorch_tf32: gpu Imaginary GPU, torch 2" in text
    assert "cudnn.allow_tf32 (convolutions) on, matmul.allow_tf32 off, cudnn.benchmark on" in text
