// CUDA's words for g++: keywords, vector types, built-in variables, arithmetic and atomics.
//
// Everything here means on the CPU what it means on the GPU, or it is left out: a kernel that
// compiles here should compile with NVRTC too. So INT_MAX and INFINITY are taken away again.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <type_traits>

#undef INFINITY
#undef NAN
#undef HUGE_VAL
#undef INT_MAX
#undef INT_MIN

// -- Keywords ------------------------------------------------------------------------------------

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

// One block runs at a time, so one array for all its threads can be a static one. The linker puts
// all of them side by side (shared_memory.ld), so that they can be filled before each block. That
// is nothing the compiler sees; "used" says that others than the code before it use the array.
#define __shared__ static __attribute__((used))

// The OS threads of threads.h each need their own threadIdx; fibers take turns with one.
#ifdef CUDA_ON_CPU_THREADS
#define CUDA_ON_CPU_OWN static thread_local
#else
#define CUDA_ON_CPU_OWN static
#endif

// -- Vector types and built-in variables ---------------------------------------------------------

#define CUDA_ON_CPU_VECTORS(T, name, align2, align4)                                               \
  struct name##1 { T x; };                                                                         \
  struct alignas(align2) name##2 { T x, y; };                                                      \
  struct name##3 { T x, y, z; };                                                                   \
  struct alignas(align4) name##4 { T x, y, z, w; };                                                \
  inline name##1 make_##name##1(T x) { return {x}; }                                               \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; }                                       \
  inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }                               \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
CUDA_ON_CPU_VECTORS(signed char, char, 2, 4)
CUDA_ON_CPU_VECTORS(unsigned char, uchar, 2, 4)
CUDA_ON_CPU_VECTORS(short, short, 4, 8)
CUDA_ON_CPU_VECTORS(unsigned short, ushort, 4, 8)
CUDA_ON_CPU_VECTORS(int, int, 8, 16)
CUDA_ON_CPU_VECTORS(unsigned, uint, 8, 16)
CUDA_ON_CPU_VECTORS(long long, longlong, 16, 16)
CUDA_ON_CPU_VECTORS(unsigned long long, ulonglong, 16, 16)
CUDA_ON_CPU_VECTORS(float, float, 8, 16)
CUDA_ON_CPU_VECTORS(double, double, 16, 16)

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

CUDA_ON_CPU_OWN uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;
constexpr int warpSize = 32;

// -- Arithmetic (math.h has most of it, for float and for double) --------------------------------

template <class A, class B> inline std::common_type_t<A, B> min(A a, B b) {
  using T = std::common_type_t<A, B>;
  if constexpr (std::is_floating_point_v<T>) return fmin(T(a), T(b));
  else return T(b) < T(a) ? T(b) : T(a);
}
template <class A, class B> inline std::common_type_t<A, B> max(A a, B b) {
  using T = std::common_type_t<A, B>;
  if constexpr (std::is_floating_point_v<T>) return fmax(T(a), T(b));
  else return T(a) < T(b) ? T(b) : T(a);
}

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float __saturatef(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }
inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return powf(10.0f, x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __log10f(float x) { return log10f(x); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanf(float x) { return tanf(x); }
inline void __sincosf(float x, float *sine, float *cosine) { *sine = sinf(x), *cosine = cosf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dsub_rn(double x, double y) { return x - y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __ddiv_rn(double x, double y) { return x / y; }
inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }

template <class To, class From> inline To cuda_on_cpu_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}
inline float __int_as_float(int x) { return cuda_on_cpu_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return cuda_on_cpu_bits<float>(x); }
inline int __float_as_int(float x) { return cuda_on_cpu_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return cuda_on_cpu_bits<unsigned>(x); }
inline double __longlong_as_double(long long x) { return cuda_on_cpu_bits<double>(x); }
inline long long __double_as_longlong(double x) { return cuda_on_cpu_bits<long long>(x); }

template <class T> inline T __ldg(const T *address) { return *address; }

// -- Atomics -------------------------------------------------------------------------------------

namespace cuda_on_cpu {
// Replace *address by change(*address) at once and return what was there: read, compute, and write
// only if nobody else has written in the meantime; otherwise try again. Real atomics of the
// processor, so that ThreadSanitizer can tell them from ordinary writes. As on a GPU they do not
// order anything but themselves ("relaxed").
template <class T, class Change> inline T atomically(T *address, Change change) {
  T old, wanted;
  __atomic_load(address, &old, __ATOMIC_RELAXED);
  do wanted = change(old);
  while (!__atomic_compare_exchange(address, &old, &wanted, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED));
  return old;
}
}  // namespace cuda_on_cpu

#define CUDA_ON_CPU_ATOMIC(name, T, expression)                                                    \
  inline T name(T *address, T value) {                                                             \
    return cuda_on_cpu::atomically(address, [=](T old) -> T { return expression; });               \
  }
// The types are those that CUDA has; atomicAdd(long long *) for example is missing there too.
#define CUDA_ON_CPU_ATOMIC_INT(name, expression)                                                   \
  CUDA_ON_CPU_ATOMIC(name, int, expression)                                                        \
  CUDA_ON_CPU_ATOMIC(name, unsigned, expression)                                                   \
  CUDA_ON_CPU_ATOMIC(name, unsigned long long, expression)
CUDA_ON_CPU_ATOMIC(atomicAdd, int, int(unsigned(old) + unsigned(value)))
CUDA_ON_CPU_ATOMIC(atomicAdd, unsigned, old + value)
CUDA_ON_CPU_ATOMIC(atomicAdd, unsigned long long, old + value)
CUDA_ON_CPU_ATOMIC(atomicAdd, float, old + value)
CUDA_ON_CPU_ATOMIC(atomicAdd, double, old + value)
CUDA_ON_CPU_ATOMIC(atomicSub, int, int(unsigned(old) - unsigned(value)))
CUDA_ON_CPU_ATOMIC(atomicSub, unsigned, old - value)
CUDA_ON_CPU_ATOMIC_INT(atomicMin, value < old ? value : old)
CUDA_ON_CPU_ATOMIC(atomicMin, long long, value < old ? value : old)
CUDA_ON_CPU_ATOMIC_INT(atomicMax, old < value ? value : old)
CUDA_ON_CPU_ATOMIC(atomicMax, long long, old < value ? value : old)
CUDA_ON_CPU_ATOMIC_INT(atomicAnd, old & value)
CUDA_ON_CPU_ATOMIC_INT(atomicOr, old | value)
CUDA_ON_CPU_ATOMIC_INT(atomicXor, old ^ value)
CUDA_ON_CPU_ATOMIC_INT(atomicExch, value)
CUDA_ON_CPU_ATOMIC(atomicExch, float, value)
CUDA_ON_CPU_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
CUDA_ON_CPU_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)

// ThreadSanitizer does not know fences: what only they keep in order, it takes for a race.
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __threadfence(); }

#define CUDA_ON_CPU_CAS(T)                                                                         \
  inline T atomicCAS(T *address, T compare, T value) {                                             \
    return cuda_on_cpu::atomically(address, [=](T old) { return old == compare ? value : old; });  \
  }
CUDA_ON_CPU_CAS(int)
CUDA_ON_CPU_CAS(unsigned)
CUDA_ON_CPU_CAS(unsigned short)
CUDA_ON_CPU_CAS(unsigned long long)
