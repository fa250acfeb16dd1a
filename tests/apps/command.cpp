// A child process with pipes, or with a pseudo-terminal for stderr.
#include "command.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <thread>

namespace duel::apps::testing {
namespace {

void limit(int what, int64_t bytes) {
  if (bytes <= 0) return;
  const rlimit value{static_cast<rlim_t>(bytes), static_cast<rlim_t>(bytes)};
  ::setrlimit(static_cast<__rlimit_resource>(what), &value);
}

/// A pair of file descriptors: ours to read, the child's to write.
std::pair<int, int> channel(bool terminal) {
  int ours = -1, theirs = -1;
  if (terminal) {
    winsize size{.ws_row = 24, .ws_col = 120, .ws_xpixel = 0, .ws_ypixel = 0};
    if (::openpty(&ours, &theirs, nullptr, nullptr, &size) != 0)
      throw std::runtime_error("no pseudo-terminal");
  } else {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    ours = ends[0];
    theirs = ends[1];
  }
  ::fcntl(ours, F_SETFD, FD_CLOEXEC);
  return {ours, theirs};
}

}  // namespace

std::string command_path() { return DUEL_COMMAND; }

Process::Process(const std::vector<std::string>& args, const Surroundings& around)
    : began_(std::chrono::steady_clock::now()) {
  const auto [out, out_child] = channel(false);
  const auto [err, err_child] = channel(around.terminal);
  std::vector<std::string> words{DUEL_COMMAND};
  words.insert(words.end(), args.begin(), args.end());
  std::map<std::string, std::string> variables{
      {"PATH", "/usr/bin:/bin"}, {"HOME", "/nonexistent"}, {"LANG", "C"}};
  for (const char* kept : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "DUEL_THREADS"}) {
    if (const char* value = std::getenv(kept)) variables[kept] = value;
  }
  for (const auto& [name, value] : around.variables) variables[name] = value;
  std::vector<std::string> settings;
  for (const auto& [name, value] : variables) settings.push_back(name + "=" + value);
  std::vector<char*> argv, envp;
  for (std::string& word : words) argv.push_back(word.data());
  for (std::string& setting : settings) envp.push_back(setting.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);

  pid_ = ::fork();
  if (pid_ == 0) {
    if (!around.cwd.empty() && ::chdir(around.cwd.c_str()) != 0) ::_exit(99);
    ::dup2(out_child, 1);
    ::dup2(err_child, 2);
    ::close(out_child);
    ::close(err_child);
    if (!around.stdout_file.empty()) ::dup2(::open(around.stdout_file.c_str(), O_WRONLY), 1);
    if (around.no_stdout) ::close(1);
    limit(RLIMIT_FSIZE, around.file_limit);
    limit(RLIMIT_AS, around.memory_limit);
    ::execve(DUEL_COMMAND, argv.data(), envp.data());
    ::_exit(98);
  }
  ::close(out_child);
  ::close(err_child);
  out_ = out;
  err_ = err;
}

Process::~Process() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (out_ >= 0) ::close(out_);
  if (err_ >= 0) ::close(err_);
}

void Process::send(int signal) const { ::kill(pid_, signal); }

bool Process::wait_for(const std::filesystem::path& file, const std::string& text) const {
  for (int i = 0; i < 1000; ++i) {
    if (read(file).find(text) != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

Result Process::finish() {
  Result result;
  pollfd watched[2] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
  std::string* texts[2] = {&result.out, &result.err};
  for (int open = 2; open > 0;) {
    if (::poll(watched, 2, -1) < 0 && errno != EINTR) break;
    for (int i = 0; i < 2; ++i) {
      if (watched[i].fd < 0 || watched[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t got = ::read(watched[i].fd, buffer, sizeof buffer);
      if (got > 0) {
        texts[i]->append(buffer, static_cast<size_t>(got));
      } else if (got == 0 || errno != EINTR) {  // a pseudo-terminal says EIO when its last user is gone
        watched[i].fd = -1;
        --open;
      }
    }
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  return result;
}

Result duel(const std::vector<std::string>& args, const Surroundings& around) {
  return Process(args, around).finish();
}

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::map<std::string, std::string> contents(const std::filesystem::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    found[entry.path().string()] = entry.is_regular_file() ? read(entry.path()) : "";
  }
  return found;
}

std::vector<std::string> with(std::vector<std::string> args, const std::vector<std::string>& more) {
  for (const std::string& word : more) {
    const auto found = word.starts_with("--") ? std::find(args.begin(), args.end(), word) : args.end();
    if (found == args.end()) continue;
    const bool valued = found + 1 != args.end() && !(found + 1)->starts_with("--");
    args.erase(found, found + (valued ? 2 : 1));
  }
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

void expect_refused(const Result& result, const std::vector<std::string>& parts, int status) {
  EXPECT_EQ(result.status, status) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_TRUE(result.err.starts_with("duel: ")) << result.err;
  EXPECT_TRUE(result.err.ends_with("\n")) << result.err;
  for (const std::string& part : parts)
    EXPECT_NE(result.err.find(part), std::string::npos) << "'" << part << "' is missing in: " << result.err;
}

}  // namespace duel::apps::testing
