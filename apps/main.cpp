// The duel command: which commands there are, and what their exit statuses mean.
//
//   0 done · 1 failed while running (diverged, a full disk, internal error) · 2 wrong input · 3 out of memory ·
//   130, 143, 129 stopped by SIGINT, SIGTERM, SIGHUP (a run that trains saves before)
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <new>
#include <string>

#include "commands.h"
#include "duel/kernels/base/error.h"
#include "terminal/output.h"

namespace {

/// A closed standard stream would lend its number to the next file opened, and messages would end up in a
/// checkpoint.
void hold_standard_streams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) < 0) return;
  }
}

int failed(int status, const std::string& what) {
  std::fflush(stdout);
  std::fputs(("duel: " + duel::visible(what) + "\n").c_str(), stderr);
  return status;
}

/// What could not be printed was not delivered.
int delivered(int status) {
  const std::string why = duel::apps::undelivered();
  if (why.empty() || status != 0) return status;
  return failed(1, "stdout: cannot be written: " + why + "; choose another place for the output");
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_streams();
  try {
    using namespace duel::apps;
    std::vector<Command> commands{train_command(argc, argv),
                                  sample_command(),
                                  plot_command(),
                                  objectives_command(),
                                  networks_command(),
                                  info_command(),
                                  bench_command(),
                                  lab_command(),
                                  judge_command(),
                                  eval_command(),
                                  list_command(),
                                  compare_command(),
                                  invert_command(),
                                  sweep_command(),
                                  singan_command(),
                                  export_command(),
                                  data_command()};
    add_known_names(commands);
    return delivered(run_command_line(argc, argv, std::move(commands)));
  } catch (const duel::Failure& error) {
    return failed(1, error.what());
  } catch (const duel::OutOfMemory& error) {
    return failed(3, error.what());
  } catch (const duel::Error& error) {
    return failed(2, error.what());
  } catch (const duel::InternalError& error) {
    return failed(1, std::string(error.what()) + "; this is a mistake in Duel, please report it");
  } catch (const std::bad_alloc&) {
    return failed(3, "out of memory; a smaller --batch or fewer --channels-g and --channels-d need less");
  } catch (const std::exception& error) {
    return failed(1, error.what());
  }
}
