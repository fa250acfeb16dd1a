// Progress of a training run on stderr: one line that is redrawn on a terminal, plain lines elsewhere.
//
//   421/3000 |####      | 34.1 it/s, 2182 img/s, 0:12<1:15, D 0.61 G 1.92 D(x) 0.71 D(G(z)) 0.28 ▂▃▅▂
//
// The line is redrawn every 0.1 s at most and never wider than the window, whose width is read each time: in
// a narrow one images per second are left out first, then what D says, then the rate and the losses, and the
// bar stays down to 40 columns. Without a terminal (or with TERM=dumb) every new set of metrics is one plain
// line. What it says of D's outputs, and under which names, is gan::shown_outputs().
//
// Example:
//   Progress progress(stderr, quiet);
//   progress.begin(0, 3000, 64, trainer.objective());
//   progress.update(metrics, iteration);  …  progress.end();
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>

#include "duel/gan/picture/png.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/trainer.h"
#include "terminal.h"

namespace duel::apps {

class Progress {
 public:
  Progress(std::FILE* stream, bool quiet);
  ~Progress() { end(); }

  void begin(int64_t iteration, int64_t total, int64_t batch, const gan::Objective& objective);
  void update(const gan::Metrics& latest, int64_t iteration);
  /// A line of its own, above the bar; also when quiet only if `important`.
  void line(const std::string& text, bool important = false);
  /// A sample grid's first digits in gray half blocks, on a terminal that can show them.
  void picture(const gan::GrayImage& grid, int64_t height, int64_t width);
  /// Leaves the bar as it is and goes to a fresh line.
  void end();

  double seconds() const;
  /// Images per second over the whole run: those that G's steps were made of.
  double images_per_second() const;

 private:
  using Clock = std::chrono::steady_clock;
  std::string losses_text() const;
  std::string outputs_text() const;
  double rate() const;  // iterations per second, lately
  void draw();
  void wipe();

  std::FILE* stream_;
  bool quiet_;
  Terminal terminal_;
  int64_t first_ = 0, iteration_ = 0, total_ = 0, batch_ = 0;
  gan::Objective objective_;
  bool drawn_ = false, running_ = false;
  gan::Metrics latest_;
  Clock::time_point began_, drew_;
  std::deque<std::pair<Clock::time_point, int64_t>> recent_;
  std::deque<double> losses_;
};

}  // namespace duel::apps
