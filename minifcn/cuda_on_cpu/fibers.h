// The threads of a block as fibers: they take turns on one OS thread, in an order one can choose.
//
// A fiber is a stack, and a place to go on at. It runs a thread until that waits or returns, then
// it jumps to the fiber of the thread whose turn is next. Nothing else ever interrupts it, so a
// launch always goes the same way: where a barrier is missing, it goes wrong each time, or never.
#pragma once
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

#include "block.h"
#include "interrupt.h"

namespace cuda_on_cpu {

struct Waiting {
  jmp_buf here;        // where the fiber goes on
  Waiting *next_idle;  // another fiber that runs no thread
};

static Thread *current;   // whose turn it is
static jmp_buf launcher;  // where run_block goes on

// -- Turns ---------------------------------------------------------------------------------------

// The order in which blocks, or the threads of a block, take their turns.
class Turns {
  Order order;
  uint64_t seed;

 public:
  Turns(Order order, uint64_t seed) : order(order), seed(seed) {}

  void arrange(unsigned *turns, size_t count) {
    for (size_t i = 0; i < count; i++) turns[i] = unsigned(order == REVERSE ? count - 1 - i : i);
    for (size_t i = count; order == SHUFFLED && i > 1; i--) {
      const size_t other = random(i);
      const unsigned turn = turns[other];
      turns[other] = turns[i - 1];
      turns[i - 1] = turn;
    }
  }

 private:
  size_t random(size_t end) {  // a linear congruential generator, whose high bits are random
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % end;
  }
};

// Rounds of turns: in each, all threads that do not wait go on until they wait, or return.
static struct Rounds {
  Turns turns{FORWARD, 0};
  unsigned order[Block::most], turn;

  void start() {
    turns.arrange(order, block.size);
    turn = 0;
  }

  // The next thread that can run; null if none can, as all have returned, or the block is stuck.
  Thread *next() {
    while (block.running) {
      if (turn == block.size) start();
      Thread &thread = block.threads[order[turn++]];
      if (thread.stop.state == RUNNING) return &thread;
    }
    return nullptr;
  }
} rounds;

inline void wake(Thread *const *, unsigned) {}  // they are found in the next round

// -- Fibers --------------------------------------------------------------------------------------

// They are made when they are needed: if no thread ever waits, one fiber runs all threads.
static Waiting fibers[Block::most];
static struct {
  unsigned made;
  Waiting *idle;
  char *stacks;
} pool;
constexpr size_t stack_bytes = 256 << 10;
constexpr size_t most_shuffled = 1 << 26;  // blocks

// _setjmp notes the registers and returns 0. _longjmp puts noted registers back, among them the
// stack pointer: the program goes on where that _setjmp was called, which now seems to return 1.
inline void jump(jmp_buf from, jmp_buf to) {
  if (!_setjmp(from)) _longjmp(to, 1);
}

static void run_threads();

inline void jump_to_new_fiber(jmp_buf from, unsigned number) {
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = pool.stacks + number * stack_bytes;
  // Stacks that begin a power of two apart would crowd into a few places of the cache.
  context.uc_stack.ss_size = stack_bytes - number % 64 * 192;
  makecontext(&context, run_threads, 0);
  if (!_setjmp(from)) setcontext(&context);
}

inline void take_turn(Thread &thread) {
  current = &thread;
  threadIdx = thread.index;
}

// Leave the stack we are on, which goes on at `from` later, and run another thread; or run_block.
static void go_to(Thread *next, jmp_buf from) {
  if (!next) return jump(from, launcher);
  take_turn(*next);
  if (next->waiting) return jump(from, next->waiting->here);
  if (!pool.idle) {
    next->waiting = &fibers[pool.made++];
    return jump_to_new_fiber(from, pool.made - 1);
  }
  next->waiting = pool.idle;
  pool.idle = pool.idle->next_idle;
  jump(from, next->waiting->here);
}

__attribute__((noinline)) static void wait(const Stop &stop) {
  Thread &me = *current;
  arrive(block, me, stop);
  Thread *next = rounds.next();
  if (next == &me) return take_turn(me);
  go_to(next, me.waiting->here);
}

// What a fiber does: run one thread after the other. Only if the next one has started already, on
// another fiber, it goes there, and is idle until somebody sends it a new thread.
static void run_threads() {
  for (;;) {
    kernel(arguments);
    Waiting *fiber = current->waiting;
    current->waiting = nullptr;
    arrive(block, *current, {RETURNED});
    Thread *next = rounds.next();
    if (next && !next->waiting) {
      next->waiting = fiber;
      take_turn(*next);
      continue;
    }
    fiber->next_idle = pool.idle;
    pool.idle = fiber;
    go_to(next, fiber->here);
  }
}

// -- A launch ------------------------------------------------------------------------------------

inline void run_block() {
  reset(block);
  forget_shared_memory();
  rounds.start();
  go_to(rounds.next(), launcher);
}

inline void run_block_by_block(const Launch &launch) {
  const size_t blocks = count_of(gridDim);
  std::vector<unsigned> order;
  if (launch.order == SHUFFLED) {
    if (blocks > most_shuffled) return fail("a shuffled schedule can have 2^26 blocks at most");
    order.resize(blocks);
    rounds.turns.arrange(order.data(), blocks);
  }
  if (_setjmp(ctrl_c.end)) return fail("it was interrupted");
  allow_jump();
  for (size_t i = 0; i < blocks && !block.stuck; i++) {
    const size_t turn = launch.order == REVERSE ? blocks - 1 - i : i;
    blockIdx = index_of(order.empty() ? turn : order[i], gridDim);
    run_block();
  }
  ctrl_c.may_jump = 0;
}

inline void run(const Launch &launch) {
  const size_t bytes = block.size * stack_bytes;
  // Of this memory, the system gives us only what we touch.
  void *stacks = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stacks == MAP_FAILED) return fail("there is not enough memory");
  pool = {0, nullptr, static_cast<char *>(stacks)};
  rounds.turns = Turns(launch.order, launch.seed);
  run_block_by_block(launch);
  munmap(stacks, bytes);
}

}  // namespace cuda_on_cpu
