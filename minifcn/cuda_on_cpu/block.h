// A block of CUDA threads: who goes on, who waits for whom, and what is passed on where they meet.
//
// Threads meet at barriers (all of the block) and at warp functions (the lanes of a mask). Who
// arrives says so in `arrive`; who arrives last lets all of them go on. How a thread waits until
// then is another question, with two answers: fibers.h and threads.h.
#pragma once
#include "words.h"

#ifdef __SANITIZE_ADDRESS__
extern "C" void __asan_poison_memory_region(const volatile void *, size_t);
extern "C" void __asan_unpoison_memory_region(const volatile void *, size_t);
#endif

namespace cuda_on_cpu {

struct Place {  // in the kernel's text
  const char *file;
  int line;
  bool operator==(const Place &other) const {
    return line == other.line && (file == other.file || !__builtin_strcmp(file, other.file));
  }
};

enum State { RUNNING, AT_BARRIER, AT_WARP, RETURNED };

struct Stop {  // why a thread does not run, and what it brings to the others
  State state;
  Place place;
  unsigned mask;    // the lanes of its warp that it wants to meet
  unsigned source;  // the lane whose value it wants
  uint64_t value;
};

struct Waiting;  // how a thread waits: a fiber, or a condition variable

struct Thread {
  unsigned rank;  // in its block
  uint3 index;    // threadIdx
  Stop stop;
  uint64_t received;  // from the others: the source's value, or how many values were not 0
  unsigned ballot;    // the lanes whose values were not 0
  Waiting *waiting;
};

struct Block {
  static constexpr unsigned most = 1024;
  Thread threads[most];
  unsigned size, running, at_barrier, returned;
  bool stuck;
  char error[400];
};

// What Python hands over; library.py has the same.
enum Order { FORWARD, REVERSE, SHUFFLED };
struct Launch {
  unsigned grid[3], block[3];
  Order order;
  unsigned seed;
  size_t shared_bytes;
  void **arguments;
  unsigned on_main_thread;  // of Python, the one that Ctrl-C interrupts
  // For threads.h only:
  unsigned may_wait;  // whether threads of a block may need each other, or each other's memory
  unsigned crew;
  const char *(*second_crew)(const Launch *);
  const volatile int *interrupted;
};

static Block block;
static void (*kernel)(void **arguments);
static void **arguments;

inline size_t count_of(const dim3 &size) { return size_t(size.x) * size.y * size.z; }

inline uint3 index_of(size_t number, const dim3 &size) {
  return {unsigned(number % size.x), unsigned(number / size.x % size.y),
          unsigned(number / size.x / size.y)};
}

// The threads of a new block, none of which has done anything.
inline void reset(Block &block) {
  for (unsigned rank = 0; rank < block.size; rank++) block.threads[rank].stop.state = RUNNING;
  block.running = block.size;
  block.at_barrier = block.returned = 0;
}

// -- Meeting -------------------------------------------------------------------------------------

// Wake up threads that waited for each other; in fibers.h or threads.h.
void wake(Thread *const *group, unsigned count);

inline void go_on(Block &block, Thread *const *group, unsigned count) {
  for (unsigned i = 0; i < count; i++) group[i]->stop.state = RUNNING;
  block.running += count;
  wake(group, count);
}

// All threads are at a barrier: if it is the same one, tell each how many brought a value, go on.
inline void meet_at_barrier(Block &block) {
  Thread *group[Block::most];
  uint64_t votes = 0;
  for (unsigned rank = 0; rank < block.size; rank++) {
    group[rank] = &block.threads[rank];
    if (!(group[rank]->stop.place == group[0]->stop.place)) return;
    votes += group[rank]->stop.value != 0;
  }
  for (unsigned rank = 0; rank < block.size; rank++) group[rank]->received = votes;
  block.at_barrier = 0;
  go_on(block, group, block.size);
}

// Lanes of a warp have met: hand each the value of its source, or bytes 0xff if that is not there.
inline void exchange(Thread *const *group, unsigned count) {
  uint64_t values[32];
  unsigned ballot = 0;
  for (uint64_t &value : values) value = ~uint64_t(0);
  for (unsigned i = 0; i < count; i++) {
    const unsigned lane = group[i]->rank % 32;
    values[lane] = group[i]->stop.value;
    ballot |= unsigned(values[lane] != 0) << lane;
  }
  for (unsigned i = 0; i < count; i++) {
    group[i]->received = values[group[i]->stop.source];
    group[i]->ballot = ballot;
  }
}

// If all lanes of the mask wait with this mask, they meet. Lanes that the block does not have, in a
// last warp that is not full, are not waited for.
inline void meet_in_warp(Block &block, const Thread &me) {
  Thread *group[32];
  unsigned count = 0;
  for (unsigned lane = 0; lane < 32; lane++) {
    const unsigned rank = me.rank / 32 * 32 + lane;
    if (rank >= block.size || !(me.stop.mask >> lane & 1)) continue;
    const Stop &stop = block.threads[rank].stop;
    if (stop.state != AT_WARP || stop.mask != me.stop.mask) return;
    group[count++] = &block.threads[rank];
  }
  exchange(group, count);
  go_on(block, group, count);
}

// -- Arriving ------------------------------------------------------------------------------------

// Append to the block's error, as far as there is room.
template <class... Values> inline void tell(Block &block, const char *format, Values... values) {
  const size_t length = __builtin_strlen(block.error);
  snprintf(block.error + length, sizeof block.error - length, format, values...);
}

inline void fail(const char *why) {
  block.stuck = true;
  block.error[0] = 0;
  tell(block, "%s", why);
}

inline bool together(const Stop &a, const Stop &b) {
  return a.state == b.state && (a.state == RETURNED || a.place == b.place);
}

// "block (0, 0, 0) is stuck: 32 of 64 threads wait at copy.cu:7, 32 of 64 threads have returned"
inline void tell_who_waits(Block &block) {
  bool told[Block::most] = {};
  block.error[0] = 0;
  tell(block, "block (%u, %u, %u) is stuck", blockIdx.x, blockIdx.y, blockIdx.z);
  for (unsigned first = 0; first < block.size; first++) {
    if (told[first]) continue;
    const Stop &stop = block.threads[first].stop;
    unsigned count = 0;
    for (unsigned rank = first; rank < block.size; rank++)
      if (together(block.threads[rank].stop, stop)) told[rank] = true, count++;
    tell(block, "%s %u of %u threads ", first ? "," : ":", count, block.size);
    if (stop.state == RETURNED) tell(block, "have returned");
    else tell(block, "wait at %s:%d", stop.place.file, stop.place.line);
  }
}

// A thread stops. If nobody can go on after that, though not all have returned, the block is stuck:
// a GPU would hang, or go on with a wrong result.
inline void arrive(Block &block, Thread &me, const Stop &stop) {
  me.stop = stop;
  block.running--;
  if (stop.state == AT_WARP) meet_in_warp(block, me);
  if (stop.state == RETURNED) block.returned++;
  if (stop.state == AT_BARRIER && ++block.at_barrier == block.size) meet_at_barrier(block);
  if (block.running || block.returned == block.size) return;
  block.stuck = true;
  tell_who_waits(block);
}

// -- Shared memory -------------------------------------------------------------------------------

extern "C" __attribute__((visibility("hidden"))) char cuda_on_cpu_shared_begin[],
    cuda_on_cpu_shared_end[];  // shared_memory.ld puts the __shared__ arrays between them

// The memory of `extern __shared__ T name[]`, of which a launch says how much it needs. It is always
// here, and as long as it can be, so that pointers to it can be made when the library is loaded.
static struct {
  alignas(1024) char memory[227 << 10];
  size_t bytes;
  size_t rest() const { return sizeof memory - bytes; }
} dynamic_shared;

// What `extern __shared__ T name[]` becomes: T *const name = dynamic_shared_memory<T>().
template <class T> inline T *dynamic_shared_memory() {
  return reinterpret_cast<T *>(dynamic_shared.memory);
}

// Not memset, and not watched by sanitizers: AddressSanitizer keeps strips between the arrays that
// nobody may write to, and they are filled too.
__attribute__((no_sanitize("address", "thread", "undefined"), noinline)) inline void fill(
    volatile char *memory, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) memory[i] = char(0xff);
}

// A new block finds bytes 0xff, which are NaN, or -1. A GPU leaves there what was there before; who
// reads it before writing it shall notice.
inline void forget_shared_memory() {
  fill(cuda_on_cpu_shared_begin, cuda_on_cpu_shared_end - cuda_on_cpu_shared_begin);
  fill(dynamic_shared.memory, dynamic_shared.bytes);
}

// What is behind the bytes that a launch has is full of 0xff: who writes there shall notice too, as
// does AddressSanitizer at once.
inline void start_dynamic_shared(size_t bytes) {
  dynamic_shared.bytes = bytes;
  __builtin_memset(dynamic_shared.memory + bytes, 0xff, dynamic_shared.rest());
#ifdef __SANITIZE_ADDRESS__
  __asan_poison_memory_region(dynamic_shared.memory + bytes, dynamic_shared.rest());
#endif
}

inline void end_dynamic_shared() {
  const char *end = dynamic_shared.memory + dynamic_shared.bytes;
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(end, dynamic_shared.rest());
#endif
  // All bytes are the same if each is as the next one.
  const size_t rest = dynamic_shared.rest();
  if (!rest || (*end == char(0xff) && !__builtin_memcmp(end, end + 1, rest - 1))) return;
  if (block.stuck) return;  // that is the first mistake
  fail("it wrote to extern __shared__ memory behind its ");
  tell(block, "%zu bytes: shared_mem must say how many it needs", dynamic_shared.bytes);
}

}  // namespace cuda_on_cpu
