"""CUDA on the CPU: CUDA C is compiled with g++, and its kernels run on NumPy arrays.

For who has no GPU, and wants to see what a kernel does; and for testing kernels everywhere:

    import numpy as np
    from minifcn.cuda_on_cpu import RawModule, schedule

    module = RawModule(r'''
    extern "C" __global__ void reverse(float *x) {
      __shared__ float copy[8];
      copy[threadIdx.x] = x[threadIdx.x];
      __syncthreads();
      x[threadIdx.x] = copy[7 - threadIdx.x];
      printf("thread %d has %g\\n", threadIdx.x, x[threadIdx.x]);
    }
    ''')
    x = np.arange(8, dtype=np.float32)
    with schedule("reverse"):
        module.get_function("reverse")((1,), (8,), (x,))  # one block of eight threads
    print(x)

Without __syncthreads(), half of the numbers are NaN: some threads read what others had yet to
write, and shared memory is full of NaN before. Where the threads run in another order, that is
another half. A barrier that only some threads reach is a RuntimeError that tells who waits where.

The calls are CuPy's: `cupy.RawModule(code=...)` runs the same text on a GPU, on CuPy's arrays.

sanitizer.run runs a program whose kernels are watched by one of g++'s sanitizers, which find what a
wrong result may not show: an index out of bounds, an overflow, a missing atomic or barrier.

What it does not have: inline PTX, cp.async, wgmma, cooperative groups, textures, streams, and
kernels that launch kernels. Blocks run one after the other, so none can wait for a later one, and
no thread can wait for another in a loop of its own. A thread has 64 KB for its local variables. An
index out of bounds may crash Python: sanitizer.run("address", ...) says where it is. A __shared__
array outside of functions keeps what earlier blocks have left there; only those in functions are
filled with NaN before each block. How long a kernel takes here says nothing about a GPU.

What is accepted here, but not by CUDA: functions without __device__ that kernels call, and the C++
standard library. NVRTC, which compiles for CuPy, has not even <stdio.h>.
"""

from minifcn.cuda_on_cpu import sanitizer
from minifcn.cuda_on_cpu.kernel import Kernel, schedule
from minifcn.cuda_on_cpu.module import RawModule

__all__ = ["Kernel", "RawModule", "sanitizer", "schedule"]
