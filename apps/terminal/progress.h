// Progress of long work on stderr, the same for every command: one line that is redrawn on a terminal, plain lines
// elsewhere.
//
//   421/3000 |####      | 34.1 it/s, 2182 img/s, 0:12<1:15, D 0.61 G 1.92 D(x) 0.71 D(G(z)) 0.28 ▂▃▅▂
//
// The line is redrawn every 0.1 s at most and never wider than the window, whose width is read each time; what a
// narrow one leaves out is for the command to order, and the bar stays down to 40 columns. The rate is that of the
// last five seconds. Without a terminal (or with TERM=dumb) there are only the lines that the command has to say.
//
// Where nothing was said for a second, a clock says that the work goes on, "reading images ... 0:03", until something is:
// from the object's first moment to end(), before begin() and where a bar stands still.
//
// Example:
//   Progress progress(stderr, quiet);
//   progress.begin(0, 100, [](const Progress::Pace& pace) { return Progress::Shown{"", {pace.clock}, {}}; });
//   progress.add();  …  progress.end();
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "duel/gan/picture/png.h"
#include "terminal.h"

namespace duel::apps {

/// All may be called from several threads at once, after begin(); line() before it too.
class Progress {
 public:
  struct Pace {
    int64_t done = 0, total = 0;
    double rate = 0;         // of `done` in a second, lately
    std::string left = "";   // time that is left: "1:15", or "?"
    std::string clock = "";  // "0:12<1:15": the time that passed, and that
  };
  struct Shown {
    std::string left;                 // of the bar
    std::vector<std::string> rights;  // the first that has room
    std::deque<double> values = {};   // a sparkline
  };
  using Describe = std::function<Shown(const Pace&)>;

  /// `waiting`: what is done before something else is said.
  Progress(std::FILE* stream, bool quiet, std::string waiting = "working");
  ~Progress() { end(); }

  /// What is done from now on.
  void wait(std::string what);
  void begin(int64_t done, int64_t total, Describe describe);
  /// So much more is done.
  void add(int64_t count = 1);
  /// Of the total so much is no work any more; negative: it is again.
  void lower(int64_t count);
  /// A line of its own, above the bar; also when quiet only if `important`.
  void line(const std::string& text, bool important = false);
  /// A sample grid's first images in gray half blocks, colours as their mean, on a terminal that can show them.
  void picture(const gan::Picture& grid, int64_t height, int64_t width);
  /// Leaves the bar as it is and goes to a fresh line.
  void end();

  /// Whether a line is redrawn; where not, a command says from time to time where it stands.
  bool live() const { return terminal_.live; }
  Pace pace() const;
  double seconds() const;

 private:
  using Clock = std::chrono::steady_clock;
  Pace pace_now() const;
  void draw();
  void wipe();
  void tick(const std::stop_token& stop);

  std::FILE* stream_;
  bool quiet_;
  Terminal terminal_;
  mutable std::mutex mutex_;  // of all below but the counts
  std::atomic<int64_t> done_{0}, total_{0};
  Describe describe_;
  bool drawn_ = false, ticked_ = false, ended_ = false;  // a bar, or a clock, stands in the last line
  std::string waiting_, left_;                           // left_: of the bar that was drawn last
  Clock::time_point began_, drew_, said_ = Clock::now();
  std::deque<std::pair<Clock::time_point, int64_t>> recent_;
  std::condition_variable_any over_;
  std::jthread clock_;  // the last member: it is joined before the others go
};

}  // namespace duel::apps
