#include "duel/gan/record/event_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "duel/core/io/crc32c.h"
#include "duel/gan/record/metrics_log.h"
#include "duel/gan/train/measures/caption.h"
#include "duel/gan/train/run_files.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

// ---- The wire format of protocol buffers: a key (number of the field, kind of what follows), then the value --

template <class T>
std::string little_endian(T value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xff);
  return bytes;
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7f) | 0x80);
  return bytes + static_cast<char>(value);
}

std::string key_of(uint32_t field, uint32_t kind) { return varint((field << 3) | kind); }
std::string whole(uint32_t field, int64_t value) {
  return key_of(field, 0) + varint(static_cast<uint64_t>(value));
}
std::string number(uint32_t field, double value) {
  return key_of(field, 1) + little_endian(std::bit_cast<uint64_t>(value));
}
std::string short_number(uint32_t field, float value) {
  return key_of(field, 5) + little_endian(std::bit_cast<uint32_t>(value));
}
std::string part(uint32_t field, std::string_view bytes) {
  return key_of(field, 2) + varint(bytes.size()) + std::string(bytes);
}
std::string packed(uint32_t field, const std::vector<double>& values) {
  std::string bytes;
  for (const double v : values) bytes += little_endian(std::bit_cast<uint64_t>(v));
  return part(field, bytes);
}

// ---- Messages: the numbers of the fields are those of event.proto and summary.proto ------------------------

std::string event(double wall_time, int64_t step, const std::string& what) {
  return event_record::framed(number(1, wall_time) + (step == 0 ? "" : whole(2, step)) + what);
}

/// Of a summary with one value or several, each a tag and what it is.
std::string value_of_summary(const std::string& tag, const std::string& what,
                             const event_record::About& about) {
  const std::string text = about ? about(tag) : "";
  return part(1, part(1, tag) + what + (text.empty() ? "" : part(9, part(3, text))));
}

std::string summary(double wall_time, int64_t step, const std::string& values) {
  return event(wall_time, step, part(5, values));
}

uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

constexpr const char* kEventFile = "events.out.tfevents.";

/// Files are read in the order of their names, so a new one's seconds lie behind those that are there.
int64_t next_seconds(const std::filesystem::path& directory) {
  auto seconds = static_cast<int64_t>(seconds_now());
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kEventFile)) continue;
    const size_t begin = std::strlen(kEventFile), end = name.find('.', begin);
    if (const auto before = number_in(name.substr(begin, end - begin), "", ""))
      seconds = std::max(seconds, *before + 1);
  }
  return seconds;
}

std::string host() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  std::string text = name.data();
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

}  // namespace

std::string event_record::framed(std::string_view message) {
  const std::string length = little_endian(static_cast<uint64_t>(message.size()));
  return length + little_endian(masked_crc(length)) + std::string(message) +
         little_endian(masked_crc(message));
}

std::string event_record::version(double wall_time) { return event(wall_time, 0, part(3, "brain.Event:2")); }

std::string event_record::restart(double wall_time, int64_t step) {
  constexpr int64_t start = 1;
  return event(wall_time, step, part(7, whole(1, start)));
}

std::string event_record::scalars(double wall_time, int64_t step,
                                  const std::vector<std::pair<std::string, double>>& values,
                                  const About& about) {
  std::string all;
  for (const auto& [tag, value] : values)
    all += value_of_summary(tag, short_number(2, static_cast<float>(value)), about);
  return summary(wall_time, step, all);
}

std::string event_record::image(double wall_time, int64_t step, const std::string& tag,
                                const Picture& picture, const About& about) {
  const auto png = encode_png(picture);
  const std::string inner = whole(1, picture.height) + whole(2, picture.width) + whole(3, picture.channels) +
                            part(4, {reinterpret_cast<const char*>(png.data()), png.size()});
  return summary(wall_time, step, value_of_summary(tag, part(4, inner), about));
}

std::string event_record::histogram(double wall_time, int64_t step, const std::string& tag,
                                    const Histogram& h, const About& about) {
  const auto bins = static_cast<double>(h.counts.size());
  double count = 0, sum = 0, squares = 0;
  std::vector<double> ends, counts;
  for (const int64_t each : h.counts) {
    const auto n = static_cast<double>(each), i = static_cast<double>(ends.size());
    const double middle = h.low + (h.high - h.low) * (i + 0.5) / bins;
    ends.push_back(i + 1 == bins ? h.high : h.low + (h.high - h.low) * (i + 1) / bins);
    counts.push_back(n);
    count += n;
    sum += n * middle;
    squares += n * middle * middle;
  }
  const std::string inner = number(1, h.low) + number(2, h.high) + number(3, count) + number(4, sum) +
                            number(5, squares) + packed(6, ends) + packed(7, counts);
  return summary(wall_time, step, value_of_summary(tag, part(5, inner), about));
}

EventFile::EventFile(EventFile&& other) noexcept
    : directory_(std::move(other.directory_)),
      file_(std::move(other.file_)),
      step_(other.step_),
      fd_(std::exchange(other.fd_, -1)),
      told_(std::move(other.told_)) {}

event_record::About EventFile::about() {
  return [this](const std::string& tag) {
    if (!told_.insert(tag).second) return std::string();
    const Measure* row = measure_of_curve(tag);
    return row ? measure_caption(*row) : std::string();
  };
}

EventFile::~EventFile() {
  if (fd_ >= 0) ::close(fd_);
}

std::optional<std::string> EventFile::add(const std::string& record) {
  const auto wrong = [&](const char* what) {
    return message("{}: {}: {}", file_.string(), what, std::strerror(errno));
  };
  std::string bytes = record;
  if (fd_ < 0) {
    std::array<char, 24> seconds{};
    std::snprintf(seconds.data(), seconds.size(), "%010lld",
                  static_cast<long long>(next_seconds(directory_)));
    for (int n = 0; fd_ < 0; ++n) {
      file_ = directory_ / message("{}{}.{}.{}.{}", kEventFile, seconds.data(), host(), ::getpid(), n);
      fd_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
      if (fd_ < 0 && errno != EEXIST) return wrong("cannot be made");
    }
    const double now = seconds_now();
    bytes = event_record::version(now) + (step_ > 0 ? event_record::restart(now, step_ + 1) : "") + record;
  }
  struct stat before {};
  const bool known = ::fstat(fd_, &before) == 0;
  errno = ENOSPC;  // of a write that is short
  const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
  if (written == static_cast<ssize_t>(bytes.size())) return std::nullopt;
  const std::string problem = wrong("a record could not be written");
  told_.clear();  // what the record said of its tags is lost with it
  const bool first = known && before.st_size == 0;
  if (first || !known || ::ftruncate(fd_, before.st_size) != 0) {
    ::close(fd_);  // a torn record ends this file; what comes goes into another one
    fd_ = -1;
    if (first) ::unlink(file_.c_str());
  }
  return problem;
}

std::optional<std::string> EventFile::scalars(int64_t step,
                                              const std::vector<std::pair<std::string, double>>& values) {
  return add(event_record::scalars(seconds_now(), step, values, about()));
}
std::optional<std::string> EventFile::image(int64_t step, const std::string& tag, const Picture& picture) {
  return add(event_record::image(seconds_now(), step, tag, picture, about()));
}
std::optional<std::string> EventFile::histogram(int64_t step, const std::string& tag, const Histogram& h) {
  return add(event_record::histogram(seconds_now(), step, tag, h, about()));
}

LineEvents events_of_line(const std::string& line) {
  const MetricsLog log = parse_metrics(line);
  LineEvents events{.step = static_cast<int64_t>(log.iteration())};
  for (const std::string& key : log.keys()) {
    const double value = log.curve(key)->y.back();
    if (std::isfinite(value)) events.scalars.emplace_back(key, value);
  }
  for (const Measure& row : measures()) {
    for (const MeasureKey& key : row.keys) {
      if (const auto* last = log.last_histogram(key.name))
        events.histograms.emplace_back(key.name, last->second);
    }
  }
  return events;
}

}  // namespace duel::gan
