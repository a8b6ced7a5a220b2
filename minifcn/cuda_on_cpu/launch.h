// What a kernel calls to meet other threads, and what Python calls to launch a kernel.
//
// Python includes this file, then the kernels' text, then has CUDA_ON_CPU_KERNEL for each kernel.
#pragma once
#include <utility>

#ifdef CUDA_ON_CPU_THREADS
#include "threads.h"
#else
#include "fibers.h"
#endif

// -- Barriers ------------------------------------------------------------------------------------

// __builtin_LINE() as a default argument is the line of the call.
#define CUDA_ON_CPU_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline int __syncthreads_count(int predicate, CUDA_ON_CPU_PLACE) {
  cuda_on_cpu::wait({cuda_on_cpu::AT_BARRIER, {file, line}, 0, 0, uint64_t(predicate != 0)});
  return int(cuda_on_cpu::current->received);
}
inline void __syncthreads(CUDA_ON_CPU_PLACE) { __syncthreads_count(0, file, line); }
inline int __syncthreads_or(int predicate, CUDA_ON_CPU_PLACE) {
  return __syncthreads_count(predicate, file, line) != 0;
}
inline int __syncthreads_and(int predicate, CUDA_ON_CPU_PLACE) {
  return __syncthreads_count(!predicate, file, line) == 0;
}

// -- Warps: 32 threads of neighbouring ranks, called lanes ---------------------------------------

namespace cuda_on_cpu {
inline unsigned lane() { return current->rank % 32; }

// Meet the lanes of the mask; bring a value, and return the one that the lane `source` brings.
template <class T> inline T meet_lanes(unsigned mask, T value, unsigned source, Place place) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "lanes exchange at most 8 bytes");
  Stop stop{AT_WARP, place, mask | 1u << lane(), source, 0};
  __builtin_memcpy(&stop.value, &value, sizeof value);
  wait(stop);
  __builtin_memcpy(&value, &current->received, sizeof value);
  return value;
}

// The lane that is `source` in the same part of the warp, `width` lanes long; `mine` beyond its end
inline unsigned in_part(int source, int width) {
  const int first = int(lane()) / width * width;
  return source < first || source >= first + width ? lane() : unsigned(source);
}
}  // namespace cuda_on_cpu

inline void __syncwarp(unsigned mask = ~0u, CUDA_ON_CPU_PLACE) {
  cuda_on_cpu::meet_lanes(mask, 0, 0, {file, line});
}
template <class T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, CUDA_ON_CPU_PLACE) {
  const unsigned first = cuda_on_cpu::lane() / width * width;
  return cuda_on_cpu::meet_lanes(mask, value, first + unsigned(source) % width, {file, line});
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, CUDA_ON_CPU_PLACE) {
  const int source = int(cuda_on_cpu::lane()) - int(delta);
  return cuda_on_cpu::meet_lanes(mask, value, cuda_on_cpu::in_part(source, width), {file, line});
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                          CUDA_ON_CPU_PLACE) {
  const int source = int(cuda_on_cpu::lane()) + int(delta);
  return cuda_on_cpu::meet_lanes(mask, value, cuda_on_cpu::in_part(source, width), {file, line});
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, CUDA_ON_CPU_PLACE) {
  // Unlike the others it may look into parts before its own; only those behind are out of reach.
  const int source = int(cuda_on_cpu::lane()) ^ lanes, own = int(cuda_on_cpu::lane());
  const bool reached = source < own / width * width + width;
  return cuda_on_cpu::meet_lanes(mask, value, unsigned(reached ? source : own), {file, line});
}
inline unsigned __ballot_sync(unsigned mask, int predicate, CUDA_ON_CPU_PLACE) {
  cuda_on_cpu::meet_lanes(mask, predicate, 0, {file, line});
  return cuda_on_cpu::current->ballot;
}
inline int __any_sync(unsigned mask, int predicate, CUDA_ON_CPU_PLACE) {
  return __ballot_sync(mask, predicate, file, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, CUDA_ON_CPU_PLACE) {
  return __ballot_sync(mask, !predicate, file, line) == 0;
}

// -- What Python calls ---------------------------------------------------------------------------

namespace cuda_on_cpu {
struct Parameter {
  const char *type;  // "... [with T = const float*]"
  size_t size, pointed_size;
};

template <class T> inline const char *spelling() {
  if constexpr (std::is_enum_v<T>) return spelling<std::underlying_type_t<T>>();
  else return __PRETTY_FUNCTION__;
}

template <class T> inline Parameter parameter() {
  using Pointed = std::remove_pointer_t<T>;
  static_assert(std::is_trivially_copyable_v<T>, "what a kernel is given must be plain data");
  if constexpr (std::is_void_v<Pointed>) return {spelling<T>(), sizeof(T), 1};
  else return {spelling<T>(), sizeof(T), sizeof(Pointed)};
}

// A kernel whose arguments come as an array of pointers to them, as cuLaunchKernel has it.
template <auto function> struct Kernel;
template <class... Types, void (*function)(Types...)> struct Kernel<function> {
  template <size_t... i> static void call(void **arguments, std::index_sequence<i...>) {
    function(*static_cast<Types *>(arguments[i])...);
  }
  static void run(void **arguments) { call(arguments, std::index_sequence_for<Types...>{}); }
  static size_t describe(Parameter *found) {
    const Parameter all[] = {parameter<Types>()..., {}};
    for (size_t i = 0; i < sizeof...(Types); i++) found[i] = all[i];
    return sizeof...(Types);
  }
};

// Returns what went wrong, or an empty text.
inline const char *launch(void (*function)(void **), const Launch &launch) {
  kernel = function;
  arguments = launch.arguments;
  gridDim = dim3(launch.grid[0], launch.grid[1], launch.grid[2]);
  blockDim = dim3(launch.block[0], launch.block[1], launch.block[2]);
  block.size = unsigned(count_of(blockDim));
  block.stuck = false;
  block.error[0] = 0;
  for (unsigned rank = 0; rank < block.size; rank++) {
    block.threads[rank].rank = rank;
    block.threads[rank].index = index_of(rank, blockDim);
    block.threads[rank].waiting = nullptr;
  }
  start_dynamic_shared(launch.shared_bytes);
  {
    CtrlC ours(launch.on_main_thread);
    run(launch);
  }
  end_dynamic_shared();
  fflush(stdout);  // what the kernel printed
  return block.error;
}
}  // namespace cuda_on_cpu

#define CUDA_ON_CPU_PUBLIC extern "C" __attribute__((visibility("default")))
#define CUDA_ON_CPU_KERNEL(name, ...) /* and what __launch_bounds__ says */                        \
  CUDA_ON_CPU_PUBLIC size_t describe_##name(cuda_on_cpu::Parameter *found) {                       \
    return cuda_on_cpu::Kernel<name>::describe(found);                                             \
  }                                                                                                \
  CUDA_ON_CPU_PUBLIC unsigned most_threads_##name() {                                              \
    const unsigned bounds[] = {__VA_ARGS__};                                                       \
    return min(bounds[0], cuda_on_cpu::Block::most);                                               \
  }                                                                                                \
  CUDA_ON_CPU_PUBLIC const char *launch_##name(const cuda_on_cpu::Launch *launch) {                \
    return cuda_on_cpu::launch(cuda_on_cpu::Kernel<name>::run, *launch);                           \
  }
