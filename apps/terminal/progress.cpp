// The rate comes from the last five seconds.
#include "progress.h"

#include <algorithm>

#include "duel/kernels/base/error.h"

namespace duel::apps {
namespace {

using namespace std::chrono_literals;

constexpr auto kRedraw = 100ms;
constexpr auto kWindow = 5s;     // over which the rate is taken
constexpr size_t kHistory = 24;  // losses to show

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Progress::Progress(std::FILE* stream, bool quiet)
    : stream_(stream), quiet_(quiet), terminal_(terminal_of(stream)) {}

void Progress::begin(int64_t iteration, int64_t total, int64_t batch, const gan::Objective& objective) {
  first_ = iteration_ = iteration;
  total_ = total;
  batch_ = batch;
  objective_ = objective;
  began_ = drew_ = Clock::now();
  recent_ = {{began_, iteration}};
  running_ = true;
}

void Progress::update(const gan::Metrics& latest, int64_t iteration) {
  iteration_ = iteration;
  const auto now = Clock::now();
  if (now - recent_.back().first >= 50ms) {
    recent_.emplace_back(now, iteration);
    while (recent_.size() > 2 && now - recent_.front().first > kWindow) recent_.pop_front();
  }
  const bool news = latest.iteration != latest_.iteration;
  latest_ = latest;
  if (news) {
    losses_.push_back(latest.loss_g);
    if (losses_.size() > kHistory) losses_.pop_front();
  }
  if (quiet_) return;
  if (!terminal_.live) {
    if (!news) return;
    const double speed = rate();
    std::fprintf(stream_, "[%lld/%lld] %s it/s, eta %s, %s\n", static_cast<long long>(iteration),
                 static_cast<long long>(total_), brief(speed).c_str(),
                 speed > 0 ? clock_text(static_cast<double>(total_ - iteration) / speed).c_str() : "?",
                 (losses_text() + " " + outputs_text()).c_str());
    std::fflush(stream_);
  } else if (now - drew_ >= kRedraw || iteration == total_) {
    draw();
    drew_ = now;
  }
}

std::string Progress::losses_text() const {
  return message("D {} G {}", brief(latest_.loss_d), brief(latest_.loss_g));
}

std::string Progress::outputs_text() const {
  const gan::ShownOutputs outputs = gan::shown_outputs(objective_, latest_);
  return message("{} {} {} {}", outputs.name_real, brief(outputs.real), outputs.name_fake,
                 brief(outputs.fake));
}

double Progress::rate() const {
  const auto& [then, iteration] = recent_.front();
  const double passed = seconds_between(then, Clock::now());
  return passed > 0 ? static_cast<double>(iteration_ - iteration) / passed : 0;
}

void Progress::draw() {
  const double speed = rate();
  const std::string left_over =
      speed > 0 ? clock_text(static_cast<double>(total_ - iteration_) / speed) : "?";
  const std::string rates = message("{} it/s, ", brief(speed)),
                    clock = message("{}<{}", clock_text(seconds()), left_over),
                    images = message("{} img/s, ", brief(speed * static_cast<double>(batch_)));
  // What a narrow window leaves out: images first, then what D says, then rates and losses. The bar stays.
  const std::string line = progress_line(
      terminal_, static_cast<size_t>(columns_of(stream_)), message("{}/{} ", iteration_, total_),
      {rates + images + clock + ", " + losses_text() + " " + outputs_text(),
       rates + clock + ", " + losses_text() + " " + outputs_text(), rates + clock + ", " + losses_text(),
       clock + ", " + losses_text(), clock},
      total_ > 0 ? static_cast<double>(iteration_) / static_cast<double>(total_) : 1.0, losses_);
  // \033[K clears what an earlier, longer line left.
  std::fprintf(stream_, "\r%s\033[K", line.c_str());
  std::fflush(stream_);
  drawn_ = true;
}

void Progress::wipe() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stream_);
  drawn_ = false;
}

void Progress::line(const std::string& text, bool important) {
  if (quiet_ && !important) return;
  const bool again = drawn_;
  wipe();
  std::fputs((text + (text.ends_with('\n') ? "" : "\n")).c_str(), stream_);
  if (again) draw();
  std::fflush(stream_);
}

void Progress::picture(const gan::GrayImage& grid, int64_t height, int64_t width) {
  if (quiet_ || !terminal_.unicode) return;
  constexpr int64_t padding = 2, margin = 2;
  const int64_t columns = columns_of(stream_) - 1;
  const int64_t shown =
      std::min((columns + margin) / (width + margin), (grid.width - padding) / (width + padding));
  if (shown < 1) return;
  std::vector<std::string> lines(static_cast<size_t>((height + 1) / 2));
  for (int64_t i = 0; i < shown; ++i) {
    const auto digit = half_blocks(terminal_, height, width, [&](int64_t y, int64_t x) {
      return int{
          grid.pixels[static_cast<size_t>((padding + y) * grid.width + padding + i * (width + padding) + x)]};
    });
    for (size_t y = 0; y < lines.size(); ++y) lines[y] += digit[y] + std::string(margin, ' ');
  }
  std::string text;
  for (const std::string& each : lines) text += each + "\n";
  line(text);
}

void Progress::end() {
  if (!running_) return;
  running_ = false;
  if (drawn_) {
    draw();
    std::fputc('\n', stream_);
    std::fflush(stream_);
    drawn_ = false;
  }
}

double Progress::seconds() const { return seconds_between(began_, Clock::now()); }

double Progress::images_per_second() const {
  const double passed = seconds();
  return passed > 0 ? static_cast<double>((iteration_ - first_) * batch_) / passed : 0;
}

}  // namespace duel::apps
