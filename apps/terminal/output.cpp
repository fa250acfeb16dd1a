#include "output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "duel/kernels/base/text.h"

namespace duel::apps {
namespace {
int first_failure = 0;  // errno of the first write that failed
}  // namespace

void print(const std::string& text) {
  if (std::fputs(visible_lines(text).c_str(), stdout) < 0 && first_failure == 0) first_failure = errno;
}

std::string undelivered() {
  const bool failed = std::fflush(stdout) != 0;
  if (failed && first_failure == 0) first_failure = errno;
  if (first_failure == 0 && std::ferror(stdout)) first_failure = EIO;  // an earlier write, by printf
  return first_failure == 0 || first_failure == EPIPE ? "" : std::strerror(first_failure);
}

}  // namespace duel::apps
