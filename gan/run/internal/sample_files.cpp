#include "duel/gan/run/internal/sample_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "duel/core/io/internal/file_ending.h"
#include "duel/core/ops/map/movement.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/data/image_arrays.h"
#include "duel/gan/picture/animation.h"
#include "duel/gan/run/internal/output_file.h"
#include "duel/gan/run/internal/sample_sets.h"
#include "duel/gan/train/sampling.h"

namespace duel::gan::detail {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostImages = 10'000'000, kMostMoving = 256;
constexpr int64_t kWalkSteps = 24;  // pictures from one point to the other; the way back has the same ones
constexpr int kRate = 15;           // of these a second
constexpr int64_t kColumns = 8;

[[noreturn]] void cannot(const fs::path& path, const char* what) {
  const int reason = errno;
  fail_system(reason, "sample", "{}: could not {}: {}", path.string(), what, std::strerror(reason));
}

/// A folder under another name beside its place, which takes its own when it is whole; removed where it never is.
class WholeFolder {
 public:
  explicit WholeFolder(fs::path target) : target_(std::move(target)) {
    std::error_code ignored;
    const fs::path full = fs::absolute(target_, ignored).lexically_normal();
    target_ = full.has_filename() ? full : full.parent_path();  // "DIR/"
    temporary_ = target_.parent_path() / message(".{}.tmp-{}", target_.filename().string(), ::getpid());
    std::error_code why;
    fs::create_directory(temporary_, why);
    if (why) {
      errno = why.value();
      cannot(temporary_, "create the folder");
    }
    made_ = true;
  }
  ~WholeFolder() {
    std::error_code ignored;
    if (made_) fs::remove_all(temporary_, ignored);
  }
  WholeFolder(const WholeFolder&) = delete;

  void write(const std::string& name, std::span<const uint8_t> bytes) const {
    errno = 0;
    std::ofstream file(temporary_ / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) cannot(target_ / name, "write");
  }
  void publish() {
    const int fd = ::open(temporary_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || ::syncfs(fd) != 0) {  // once for all files
      if (fd >= 0) ::close(fd);
      cannot(target_, "force it to the disk");
    }
    ::close(fd);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) cannot(target_, "rename the finished folder");
    made_ = false;
  }

 private:
  fs::path target_, temporary_;
  bool made_ = false;
};

std::string numbered(int64_t i) {
  const std::string digits = std::to_string(i);
  return std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits + ".png";
}

/// Of a folder's images, in StyleGAN's form: {"labels": [["000000.png", 3], …]}.
std::string dataset_json(const std::vector<int64_t>& labels) {
  std::string text = "{\"labels\": [";
  for (size_t i = 0; i < labels.size(); ++i)
    text += message("{}[\"{}\", {}]", i == 0 ? "" : ",\n", numbered(static_cast<int64_t>(i)), labels[i]);
  return text + "]}\n";
}

std::string write_animation(const SampleRequest& request, const LoadedTrainer& loaded,
                            std::optional<int64_t> label) {
  LatentGenerators random = sampling_generators(request.seed);
  const LatentPlan& plan = loaded.trainer->networks().latent;
  const SampleGrid walk =
      walk_grid(plan, request.count * kWalkSteps, label, random, request.truncation, kWalkSteps);
  std::vector<Picture> there;
  for (int64_t step = 0; step < kWalkSteps; ++step) {
    std::vector<int64_t> of_step;
    for (int64_t row = 0; row < request.count; ++row) of_step.push_back(row * kWalkSteps + step);
    there.push_back(image_grid(
        loaded.trainer->sample(gather(walk.input, Tensor::from(of_step, {request.count}))), kColumns));
  }
  std::vector<Picture> frames = there;
  frames.insert(frames.end(), there.rbegin() + 1, there.rend() - 1);
  write_apng(request.out, frames, kRate);
  return message("{} images walk, {} pictures at {} a second, {}x{} pixels", request.count, frames.size(),
                 kRate, there[0].width, there[0].height);
}

}  // namespace

void check_files(const SampleRequest& request) {
  const bool folder = !request.dir.empty(), moving = ending_of(request.out) == ".apng";
  std::error_code ignored;
  if (folder) {
    DUEL_CHECK(request.out.empty(), "sample", "dir and out: each is a place for the samples; choose one");
    const bool there = fs::exists(request.dir, ignored);
    DUEL_CHECK(!there || fs::is_directory(request.dir, ignored), "sample",
               "dir: {}: is not a folder; choose another --dir", request.dir.string());
    DUEL_CHECK(!there || fs::is_empty(request.dir, ignored), "sample",
               "dir: {}: is not empty, and what is in a folder is never replaced; choose another --dir",
               request.dir.string());
    const fs::path parent =
        (fs::absolute(request.dir, ignored).lexically_normal() / "").parent_path().parent_path();
    DUEL_CHECK(::access((parent / ".").c_str(), W_OK | X_OK) == 0, "sample",
               "dir: {}: cannot be made: {}: {}; choose another --dir", request.dir.string(), parent.string(),
               std::string(std::strerror(errno)));
  } else {
    const std::string ending = ending_of(request.out);
    check_output("sample", "out", request.out, ending, request.force);
    DUEL_CHECK(ending == ".npz" || ending == ".npy" || moving, "sample",
               "out: {}: expected a name ending in .png, .apng, .npz or .npy", request.out.string());
  }
  const char* flag = request.code                     ? "sweep-code"
                     : request.best_of != 1           ? "best-of"
                     : request.reject                 ? "reject"
                     : request.interpolate && !moving ? "interpolate"
                                                      : nullptr;
  DUEL_CHECK(!flag, "sample", "{}: is for a grid of images, a .png; leave it out", flag);
  const int64_t most = moving ? kMostMoving : kMostImages;
  DUEL_CHECK(request.count >= 1 && request.count <= most, "sample",
             "count: expected an integer from 1 to {}, got {}", most, request.count);
}

std::string write_files(const SampleRequest& request, const LoadedTrainer& loaded,
                        std::optional<int64_t> label) {
  if (ending_of(request.out) == ".apng") return write_animation(request, loaded, label);
  const Networks& networks = loaded.trainer->networks();
  const std::vector<int64_t> classes =
      networks.latent.classes > 0 ? class_names_of(loaded.config) : std::vector<int64_t>();
  LatentGenerators random = sampling_generators(request.seed);
  std::optional<WholeFolder> folder;
  std::optional<ImageArrayWriter> array;
  std::vector<int64_t> labels;
  int64_t written = 0;
  const auto next = [&](int64_t n) {
    return sample_points(networks.latent, n, random, label, request.truncation);
  };
  each_batch(*loaded.trainer, request.count, next, [&](const ImageSet& batch, const Tensor& numbers) {
    if (request.stop && request.stop()) throw Failure("[sample] stopped: nothing was kept of what was drawn");
    if (numbers.defined()) {
      const auto drawn = numbers.to_vector<int64_t>();
      for (int64_t i = 0; i < batch.count; ++i)
        labels.push_back(classes[static_cast<size_t>(drawn[static_cast<size_t>(i)])]);
    }
    if (request.dir.empty()) {
      if (!array) array.emplace(request.out, request.count, batch.height, batch.width, batch.channels);
      array->add(channels_last(batch.images, batch.channels, batch.height, batch.width));
      return;
    }
    if (!folder) folder.emplace(request.dir);
    const auto size = static_cast<size_t>(batch.pixels());
    for (int64_t i = 0; i < batch.count; ++i) {
      const Picture picture = tile_grid(std::span(batch.images).subspan(static_cast<size_t>(i) * size, size),
                                        1, batch.height, batch.width, 1, 0, batch.channels);
      folder->write(numbered(written++), encode_png(picture));
    }
  });
  std::string what = message("{} images", request.count);
  if (folder) {
    if (!labels.empty()) {
      const std::string json = dataset_json(labels);
      folder->write("dataset.json", std::span(reinterpret_cast<const uint8_t*>(json.data()), json.size()));
      what += ", their labels in dataset.json";
    }
    folder->publish();
    return what;
  }
  const bool with_labels = !labels.empty() && ending_of(request.out) == ".npz";
  array->finish(with_labels ? std::span<const int64_t>(labels) : std::span<const int64_t>());
  return what + (with_labels ? ", their labels in arr_1" : "");
}

}  // namespace duel::gan::detail

bool duel::gan::draws_files(const SampleRequest& request) {
  return !request.dir.empty() || (!request.out.empty() && ending_of(request.out) != ".png");
}
