// One handler that marks the first signal and ends the process at the second.
#include "signals.h"

#include <unistd.h>

#include <csignal>
#include <initializer_list>

namespace duel::apps {
namespace {

volatile std::sig_atomic_t first_signal = 0;

extern "C" void on_signal(int number) {
  if (first_signal != 0) _exit(128 + number);
  first_signal = number;
}

}  // namespace

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    // nohup and background jobs of a shell arrive with signals ignored: they stay so.
    if (sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    sigaction(number, &action, nullptr);
  }
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  sigaction(SIGXFSZ, &action, nullptr);
}

int caught_signal() { return first_signal; }

}  // namespace duel::apps
