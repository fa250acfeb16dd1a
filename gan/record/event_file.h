// TensorBoard's event files: scalars, images and histograms as records that its readers, and tools like it, take.
//
// A file is a row of records, each a message of protocol buffers (tensorboard/compat/proto/event.proto and summary.proto,
// written here by hand: a few fields) between its length and checksums: length u64, masked CRC-32C of the length, message,
// masked CRC-32C of the message, all little-endian. The first record says "brain.Event:2".
//
// Note [A torn tail breaks nothing]
// A record is written in one write() and taken back where it did not fit. A process that is killed while it writes leaves
// a last record that is not whole, which readers take as one that is still to come; nothing is ever appended to it, as
// each process writes a file of its own. A resumed run's file begins with the record that says at which step it goes on
// (SessionLog START): readers drop what earlier files say of later steps.
//
// Example:
//   EventFile events("runs/a", 0);
//   events.scalars(20, {{"loss_d", 1.2}, {"loss_g", 0.9}});
//   events.image(20, "samples", grid);
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "duel/gan/picture/png.h"
#include "duel/gan/train/measures.h"

namespace duel::gan {

/// Records of an event file as bytes, without a file. `wall_time`: seconds since 1970.
namespace event_record {
/// One record around a message.
std::string framed(std::string_view message);
std::string version(double wall_time);
/// The run goes on after `step`.
std::string restart(double wall_time, int64_t step);
/// What is told of a tag: plain text that TensorBoard shows beside its diagram; "" where it was told before.
using About = std::function<std::string(const std::string& tag)>;
/// As f32, which is what the format has.
std::string scalars(double wall_time, int64_t step, const std::vector<std::pair<std::string, double>>& values,
                    const About& about = {});
/// As PNG.
std::string image(double wall_time, int64_t step, const std::string& tag, const Picture& picture,
                  const About& about = {});
/// Values lie in the middle of their bins for its sums: a Histogram has counts alone.
std::string histogram(double wall_time, int64_t step, const std::string& tag, const Histogram& histogram,
                      const About& about = {});
}  // namespace event_record

class EventFile {
 public:
  /// Makes DIRECTORY/events.out.tfevents.SECONDS.HOST.PID.N, the first N that is free, at the first record. With `step`
  /// above 0 it goes on after that step.
  EventFile(std::filesystem::path directory, int64_t step) : directory_(std::move(directory)), step_(step) {}
  EventFile(EventFile&& other) noexcept;
  EventFile& operator=(EventFile&&) = delete;
  ~EventFile();

  // What was wrong, in the system's words; nothing where it was written. With the first value of a measure the file says
  // what it means, what healthy and what sick look like.
  std::optional<std::string> scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values);
  std::optional<std::string> image(int64_t step, const std::string& tag, const Picture& picture);
  std::optional<std::string> histogram(int64_t step, const std::string& tag, const Histogram& histogram);

  /// Empty before the first record.
  const std::filesystem::path& file() const { return file_; }

 private:
  std::optional<std::string> add(const std::string& record);
  event_record::About about();

  std::filesystem::path directory_, file_;
  int64_t step_;
  int fd_ = -1;
  std::set<std::string> told_;  // tags of which the file says what they are
};

/// Scalars and histograms of a line of metrics.jsonl or timing.jsonl: numbers under their keys, those of a group under
/// "KEY/NAME". What is null is left out.
struct LineEvents {
  int64_t step = 0;
  std::vector<std::pair<std::string, double>> scalars = {};
  std::vector<std::pair<std::string, Histogram>> histograms = {};
};
LineEvents events_of_line(const std::string& line);

}  // namespace duel::gan
