// The threads of a block as threads of the operating system, which run at the same time.
//
// This is for the sanitizers, and to see what a race does. Where threads may wait for each other,
// each CUDA thread of a block is an OS thread. Two such blocks run at the same time, each by a crew
// of its own: crew 0 takes the even blocks, crew 1 the odd ones. As __shared__ arrays are static,
// crew 1 works in a second copy of this library, which has its own (see library.py).
#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "block.h"
#include "interrupt.h"

#ifdef __SANITIZE_THREAD__
extern "C" {
void AnnotateIgnoreSyncBegin(const char *file, int line);
void AnnotateIgnoreSyncEnd(const char *file, int line);
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
void __tsan_acquire(void *address);
void __tsan_release(void *address);
}
#endif

namespace cuda_on_cpu {

// -- What ThreadSanitizer shall know -------------------------------------------------------------

// ThreadSanitizer reports two accesses that nothing puts in an order. A mutex orders all who lock
// it one after the other: those who meet at a barrier, but also those who only happen to come
// later, and with that it would hide their races. So our mutex, and what is done under it, are
// hidden from it;
struct Hidden {
#ifdef __SANITIZE_THREAD__
  Hidden() {
    AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~Hidden() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
  }
#endif
};

// instead it is told the truth: all that came before an event comes before all that is after it.
struct Event {
  char address;
#ifdef __SANITIZE_THREAD__
  void is_after_what_i_did() { __tsan_release(&address); }
  void is_before_what_i_do() { __tsan_acquire(&address); }
#else
  void is_after_what_i_did() {}
  void is_before_what_i_do() {}
#endif
};

// -- Waiting -------------------------------------------------------------------------------------

struct Waiting {
  std::condition_variable wake;
  Event arrived, met;
};

struct Stuck {};  // thrown in threads that would wait for ever

static std::mutex mutex;
static thread_local Thread *current;

// The one who arrives last knows what all did before they arrived, and hands it to all.
inline void wake(Thread *const *group, unsigned count) {
#ifdef __SANITIZE_THREAD__
  AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
#endif
  for (unsigned i = 0; i < count; i++) group[i]->waiting->arrived.is_before_what_i_do();
  for (unsigned i = 0; i < count; i++) group[i]->waiting->met.is_after_what_i_did();
#ifdef __SANITIZE_THREAD__
  AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
#endif
  for (unsigned i = 0; i < count; i++) group[i]->waiting->wake.notify_one();
}

inline void wake_all() {
  for (unsigned rank = 0; rank < block.size; rank++) block.threads[rank].waiting->wake.notify_one();
}

// All threads have returned from a block: they meet, and start the next one.
inline void start_next_block() {
  Thread *group[Block::most];
  for (unsigned rank = 0; rank < block.size; rank++) group[rank] = &block.threads[rank];
  reset(block);
  forget_shared_memory();
  block.running = 0;
  go_on(block, group, block.size);
}

// Returns whether the thread can go on.
inline bool arrive_and_sleep(Thread &me, const Stop &stop) {
  Hidden hidden;
  std::unique_lock<std::mutex> lock(mutex);
  if (*interrupted && !block.stuck) fail("it was interrupted");
  if (!block.stuck) arrive(block, me, stop);
  if (block.stuck) wake_all();
  else if (block.returned == block.size) start_next_block();
  while (me.stop.state != RUNNING && !block.stuck) me.waiting->wake.wait(lock);
  return !block.stuck;
}

__attribute__((noinline)) static void wait(const Stop &stop) {
  Waiting &waiting = *current->waiting;
  waiting.arrived.is_after_what_i_did();
  if (!arrive_and_sleep(*current, stop)) throw Stuck();
  waiting.met.is_before_what_i_do();
}

// -- Crews ---------------------------------------------------------------------------------------

// An OS thread that is the same thread of every second block.
inline void every_second_block(Thread &thread, unsigned crew, size_t blocks) {
  current = &thread;
  threadIdx = thread.index;
  try {
    for (size_t number = crew; number < blocks && !block.stuck; number += 2) {
      blockIdx = index_of(number, gridDim);
      kernel(arguments);
      wait({RETURNED});
    }
  } catch (Stuck) {
  }
}

// An OS thread that is every fourth thread of each block. Threads that are neighbours, in a block
// or in two blocks, are different OS threads, so that a conflict between them can show.
inline void every_fourth_thread(unsigned mine, size_t blocks) {
  for (size_t number = 0; number < blocks && !*interrupted; number++) {
    blockIdx = index_of(number, gridDim);
    for (unsigned rank = (mine + number) % 4; rank < block.size; rank += 4) {
      threadIdx = index_of(rank, blockDim);
      kernel(arguments);
    }
  }
}

// Start `count` OS threads, and wait for them.
template <class Work> inline void at_once(unsigned count, Work work) {
  std::vector<std::thread> threads;
  std::atomic<bool> all_there{false};
  try {
    for (unsigned i = 0; i < count; i++)
      threads.emplace_back([&, i] {
        while (!all_there) std::this_thread::yield();  // or one is done before the next starts
        work(i);
      });
  } catch (const std::system_error &) {
    fail("the system does not start so many threads");
  }
  all_there = true;
  for (std::thread &thread : threads) thread.join();
}

inline void run_crew(unsigned crew) {
  std::vector<Waiting> waiting(block.size);
  reset(block);
  forget_shared_memory();
  for (unsigned rank = 0; rank < block.size; rank++) block.threads[rank].waiting = &waiting[rank];
  at_once(block.size, [=](unsigned rank) {
    every_second_block(block.threads[rank], crew, count_of(gridDim));
  });
}

inline void run(const Launch &launch) {
  interrupted = launch.interrupted ? launch.interrupted : &ctrl_c.came;
  if (!launch.may_wait)
    return at_once(4, [](unsigned mine) { every_fourth_thread(mine, count_of(gridDim)); });
  if (!launch.second_crew) return run_crew(launch.crew);
  Launch second = launch;
  second.crew = 1;
  second.on_main_thread = false;
  second.interrupted = interrupted;
  second.second_crew = nullptr;
  const char *error = nullptr;
  std::thread other([&] { error = launch.second_crew(&second); });
  run_crew(0);
  other.join();
  if (!block.stuck && *error) fail(error);
}

}  // namespace cuda_on_cpu
