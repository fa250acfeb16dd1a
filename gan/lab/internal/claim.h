// Which process trains a run, where several share a folder: on one machine, or on several over a network's file
// system.
//
//   NAME.claim     the owner, in JSON; the time of its last change is the owner's heartbeat
//   .claims.lock   held with flock() while a claim is looked at, taken over or given back
//
// Note [Taking over]
// A claim appears by O_CREAT | O_EXCL, so one process gets it. Its owner is dead where its process is gone (that
// can be told on the same machine only) or its heartbeat is ten minutes old. Then the next one puts a claim of its
// own in the place by rename(), under the lock: of two that find a dead owner the second one finds the first one's
// claim. Claims leave their name under the lock only, so what was judged is what is replaced. An owner that was
// only asleep learns from beat() that its run is another's. Where the file system has no locks no claim is taken
// over: delete it by hand.
//
// Example:
//   std::string holder;
//   if (std::optional<Claim> claim = Claim::take("runs/ns-gan-1.claim", holder))
//     while (claim->beat() && step()) {}
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace duel::gan::lab {

class Claim {
 public:
  /// Nothing where a living owner has it: `holder` then says which, "HOST, process 12". The folder has to be
  /// there.
  static std::optional<Claim> take(const std::filesystem::path& file, std::string& holder);

  Claim(Claim&& other) noexcept
      : file_(std::move(other.file_)), fd_(std::exchange(other.fd_, -1)), beaten_(other.beaten_) {}
  Claim& operator=(Claim&&) = delete;
  /// Gives it back.
  ~Claim();

  /// To be called while the work goes on, as often as one likes: changes the file's time where the last change is
  /// `every` ago. False where another has taken it over.
  bool beat(std::chrono::seconds every = std::chrono::seconds(30));

 private:
  Claim(std::filesystem::path file, int fd) : file_(std::move(file)), fd_(fd) {}
  bool mine() const;

  std::filesystem::path file_;
  int fd_;
  bool lost_ = false;
  std::chrono::steady_clock::time_point beaten_ = std::chrono::steady_clock::now();
};

}  // namespace duel::gan::lab
