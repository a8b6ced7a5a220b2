// Ctrl-C while a kernel runs: Python would only look for it after the launch, which may never end.
//
// While a launch from Python's main thread runs, SIGINT is ours. Fibers are left at once, by a jump
// to where the launch ends; OS threads stop when they next wait or return. Then the signal is sent
// once more, to Python, which makes of it what it always does: a KeyboardInterrupt.
#pragma once
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

namespace cuda_on_cpu {

static struct {
  pthread_t thread;                      // the one that launches
  jmp_buf end;                           // where it goes on after Ctrl-C,
  volatile sig_atomic_t may_jump, came;  // if it may
} ctrl_c;

static const volatile sig_atomic_t *interrupted = &ctrl_c.came;  // crew 1 looks at crew 0's

inline void allow_jump() {
  ctrl_c.may_jump = 1;
  if (!ctrl_c.came) return;
  ctrl_c.may_jump = 0;
  _longjmp(ctrl_c.end, 1);
}

static void on_ctrl_c(int number) {
  if (!pthread_equal(pthread_self(), ctrl_c.thread)) {
    pthread_kill(ctrl_c.thread, number);
    return;
  }
  ctrl_c.came = 1;
  if (ctrl_c.may_jump) allow_jump();
}

// Within its life, Ctrl-C is ours; unless Python does not listen to it either.
class CtrlC {
  struct sigaction before;
  bool ours;

 public:
  explicit CtrlC(bool on_main_thread) : ours(on_main_thread) {
    ctrl_c.came = ctrl_c.may_jump = 0;
    if (!ours) return;
    ctrl_c.thread = pthread_self();
    sigaction(SIGINT, nullptr, &before);
    ours = before.sa_handler != SIG_IGN;
    struct sigaction action = {};
    action.sa_handler = on_ctrl_c;
    action.sa_flags = SA_NODEFER;  // as it does not return when it jumps
    if (ours) sigaction(SIGINT, &action, nullptr);
  }
  ~CtrlC() {
    ctrl_c.may_jump = 0;
    if (!ours) return;
    sigaction(SIGINT, &before, nullptr);
    if (ctrl_c.came) raise(SIGINT);
  }
};

// No jump out of the C library, which would leave its locks locked.
class NoJump {
  const sig_atomic_t might;

 public:
  NoJump() : might(ctrl_c.may_jump) { ctrl_c.may_jump = 0; }
  ~NoJump() {
    if (might) allow_jump();
  }
};

}  // namespace cuda_on_cpu

namespace module {
namespace {
// What kernels find before the C library's.
__attribute__((format(printf, 1, 2))) inline int printf(const char *format, ...) {
  cuda_on_cpu::NoJump until_it_is_printed;
  va_list values;
  va_start(values, format);
  const int length = vprintf(format, values);
  va_end(values);
  return length;
}
}  // namespace
}  // namespace module
