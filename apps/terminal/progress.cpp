#include "progress.h"

#include <algorithm>

#include "duel/kernels/base/error.h"

namespace duel::apps {
namespace {

using namespace std::chrono_literals;

constexpr auto kRedraw = 100ms;
constexpr auto kSilence = 1s;
constexpr auto kTick = 250ms;
constexpr auto kWindow = 5s;  // over which the rate is taken

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Progress::Progress(std::FILE* stream, bool quiet, std::string waiting)
    : stream_(stream), quiet_(quiet), terminal_(terminal_of(stream)), waiting_(std::move(waiting)) {
  if (!quiet_ && terminal_.live) clock_ = std::jthread([this](const std::stop_token& stop) { tick(stop); });
}

void Progress::wait(std::string what) {
  const std::scoped_lock lock(mutex_);
  waiting_ = std::move(what);
  said_ = Clock::now();
  ended_ = false;
}

void Progress::tick(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    over_.wait_for(lock, stop, kTick, [] { return false; });
    const auto now = Clock::now();
    if (stop.stop_requested() || ended_ || now - said_ < kSilence) continue;
    std::string text = message("{}{} ... {}", left_, waiting_, clock_text(seconds_between(said_, now)));
    const size_t most = static_cast<size_t>(columns_of(stream_)) - 1;
    while (width_of(text) > most) text.pop_back();
    std::fprintf(stream_, "\r%s\033[K", text.c_str());
    std::fflush(stream_);
    ticked_ = true;
  }
}

void Progress::begin(int64_t done, int64_t total, Describe describe) {
  const std::scoped_lock lock(mutex_);
  done_ = done;
  total_ = total;
  describe_ = std::move(describe);
  began_ = drew_ = said_ = Clock::now();
  ended_ = false;
  left_.clear();
  recent_ = {{began_, done}};
}

void Progress::add(int64_t count) {
  const int64_t done = done_ += count;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;  // another thread draws
  const auto now = Clock::now();
  if (now - recent_.back().first >= 50ms) {
    recent_.emplace_back(now, done);
    while (recent_.size() > 2 && now - recent_.front().first > kWindow) recent_.pop_front();
  }
  if (!quiet_ && terminal_.live && (now - drew_ >= kRedraw || done == total_)) draw();
}

void Progress::lower(int64_t count) { total_ -= count; }

Progress::Pace Progress::pace() const {
  const std::scoped_lock lock(mutex_);
  return pace_now();
}

Progress::Pace Progress::pace_now() const {
  Pace pace{.done = done_, .total = total_};
  const auto now = Clock::now();
  const auto& [then, before] = recent_.front();
  const double passed = seconds_between(then, now);
  pace.rate = passed > 0 ? static_cast<double>(pace.done - before) / passed : 0;
  pace.left = pace.rate > 0 ? clock_text(static_cast<double>(pace.total - pace.done) / pace.rate) : "?";
  pace.clock = message("{}<{}", clock_text(seconds()), pace.left);
  return pace;
}

void Progress::draw() {
  const Pace now = pace_now();
  const Shown shown = describe_(now);
  const std::string line = progress_line(
      terminal_, static_cast<size_t>(columns_of(stream_)), shown.left, shown.rights,
      now.total > 0 ? static_cast<double>(now.done) / static_cast<double>(now.total) : 1.0, shown.values);
  // \033[K clears what an earlier, longer line left.
  std::fprintf(stream_, "\r%s\033[K", line.c_str());
  std::fflush(stream_);
  drawn_ = true;
  ticked_ = false;
  left_ = shown.left;
  drew_ = said_ = Clock::now();
}

void Progress::wipe() {
  if (!drawn_ && !ticked_) return;
  std::fputs("\r\033[K", stream_);
  drawn_ = ticked_ = false;
}

void Progress::line(const std::string& text, bool important) {
  if (quiet_ && !important) return;
  const std::scoped_lock lock(mutex_);
  const bool again = drawn_;
  wipe();
  std::fputs((text + (text.ends_with('\n') ? "" : "\n")).c_str(), stream_);
  if (again) draw();
  std::fflush(stream_);
  said_ = Clock::now();
}

void Progress::picture(const gan::Picture& grid, int64_t height, int64_t width) {
  if (quiet_ || !terminal_.unicode) return;
  constexpr int64_t padding = 2, margin = 2;
  const int64_t columns = columns_of(stream_) - 1;
  const int64_t shown =
      std::min((columns + margin) / (width + margin), (grid.width - padding) / (width + padding));
  if (shown < 1) return;
  std::vector<std::string> lines(static_cast<size_t>((height + 1) / 2));
  for (int64_t i = 0; i < shown; ++i) {
    const auto digit = half_blocks(terminal_, height, width, [&](int64_t y, int64_t x) {
      const int64_t at = (padding + y) * grid.width + padding + i * (width + padding) + x;
      int sum = 0;
      for (int64_t c = 0; c < grid.channels; ++c)
        sum += grid.pixels[static_cast<size_t>(at * grid.channels + c)];
      return sum / static_cast<int>(grid.channels);
    });
    for (size_t y = 0; y < lines.size(); ++y) lines[y] += digit[y] + std::string(margin, ' ');
  }
  std::string text;
  for (const std::string& each : lines) text += each + "\n";
  line(text);
}

void Progress::end() {
  const std::scoped_lock lock(mutex_);
  ended_ = true;
  if (!drawn_) {
    wipe();
    std::fflush(stream_);
    return;
  }
  draw();
  std::fputc('\n', stream_);
  std::fflush(stream_);
  drawn_ = false;
}

double Progress::seconds() const { return seconds_between(began_, Clock::now()); }

}  // namespace duel::apps
