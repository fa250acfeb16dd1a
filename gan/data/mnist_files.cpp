// Folders of IDX files: MNIST's names, and those of its kin.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <string>
#include <system_error>

#include "duel/gan/data/idx.h"
#include "duel/gan/data/internal/planes.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEmnist = "emnist-";

/// Where the files of one data set are: in a folder, and what their names begin with, "emnist-letters-" or nothing.
struct MnistPlace {
  fs::path dir;
  std::string prefix;
};

/// What stands for the split in the names; QMNIST and EMNIST say test.
std::string stem(const std::string& prefix, Split split) {
  return prefix + (split == Split::train ? "train" : prefix.empty() ? "t10k" : "test");
}

std::vector<std::string> mnist_names(const std::string& prefix, Split split, bool images) {
  const std::vector<std::string> kinds =
      images ? std::vector<std::string>{"images-idx3-ubyte", "images.idx3-ubyte", "images-idx4-ubyte"}
             : std::vector<std::string>{"labels-idx1-ubyte", "labels.idx1-ubyte", "labels-idx2-int"};
  std::vector<std::string> names;
  for (const char* packed : {"", ".gz"})
    for (const std::string& kind : kinds) names.push_back(stem(prefix, split) + "-" + kind + packed);
  return names;
}

// The first of the names that is there; empty if none. A folder of that name (some archives unpack to one)
// is taken only if nothing else is there, to be refused as such.
fs::path find_file(const MnistPlace& place, Split split, bool images) {
  fs::path folder;
  std::error_code ignored;
  for (const auto& name : mnist_names(place.prefix, split, images)) {
    const fs::path candidate = place.dir / name;
    if (!fs::exists(candidate, ignored)) continue;
    if (!fs::is_directory(candidate, ignored)) return candidate;
    folder = candidate;
  }
  return folder;
}

/// "emnist-letters-", …: what names of files begin with that are images of one of EMNIST's splits.
std::set<std::string> emnist_prefixes(const fs::path& dir) {
  std::set<std::string> prefixes;
  std::error_code error;
  for (fs::directory_iterator i(dir, error), end; !error && i != end; i.increment(error)) {
    const std::string name = i->path().filename().string();
    if (!name.starts_with(kEmnist)) continue;
    for (const char* split : {"-train-images", "-test-images"}) {
      const size_t at = name.find(split, kEmnist.size());
      if (at != std::string::npos && at > kEmnist.size()) prefixes.insert(name.substr(0, at + 1));
    }
  }
  return prefixes;
}

/// The data set that a path is: a folder, or a folder and the name of one of EMNIST's splits in it.
MnistPlace place_of(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    const std::string name = path.filename().string();
    if (name.starts_with(kEmnist) &&
        emnist_prefixes(path.parent_path().empty() ? "." : path.parent_path()).contains(name + "-"))
      return {path.parent_path(), name + "-"};
    return {path, ""};
  }
  for (const char* prefix : {"", "qmnist-"})
    for (const Split split : {Split::train, Split::test})
      if (const MnistPlace place{path, prefix}; !find_file(place, split, true).empty()) return place;
  const std::set<std::string> prefixes = emnist_prefixes(path);
  if (prefixes.empty()) return {path, ""};
  std::string names;
  for (const std::string& prefix : prefixes)
    names += (names.empty() ? "" : ", ") + shown(prefix.substr(0, prefix.size() - 1));
  DUEL_CHECK(prefixes.size() == 1, "mnist", "{}: holds several data sets, {}; say one of them: {}",
             path.string(), names,
             (path / prefixes.begin()->substr(0, prefixes.begin()->size() - 1)).string());
  return {path, *prefixes.begin()};
}

fs::path image_file_in(const MnistPlace& place, Split split) {
  const fs::path found = find_file(place, split, true);
  if (!found.empty()) return found;
  const auto names = mnist_names(place.prefix, split, true);
  fail("mnist",
       "{}: {} images missing: looked for {} and {}, each also with .gz; put MNIST's files there or choose "
       "another folder",
       place.dir.string(), split == Split::train ? "training" : "test", names[0], names[1]);
}

/// The classes' names by labels; NIST's digits, capitals and the small letters that have a class of their own.
std::vector<std::string> emnist_words(const std::string& prefix) {
  const auto each = [](const std::string& letters, std::vector<std::string> words) {
    for (const char c : letters) words.emplace_back(1, c);
    return words;
  };
  const std::string digits = "0123456789", capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  if (prefix == "emnist-letters-") return each(capitals, {""});
  if (prefix == "emnist-balanced-" || prefix == "emnist-bymerge-")
    return each(digits + capitals + "abdefghnqrt", {});
  if (prefix == "emnist-byclass-") return each(digits + capitals + "abcdefghijklmnopqrstuvwxyz", {});
  return {};
}

}  // namespace

void write_mnist(const fs::path& dir, Split split, const ImageSet& set, bool gzip) {
  DUEL_CHECK(set.channels == 1, "mnist", "{}: MNIST's files hold gray images, got images of {} channels",
             dir.string(), set.channels);
  const std::string begin = stem("", split) + "-", end = gzip ? ".gz" : "";
  const fs::path images = dir / (begin + "images-idx3-ubyte" + end);
  const fs::path labels = set.labels.empty() ? fs::path() : dir / (begin + "labels-idx1-ubyte" + end);
  for (const bool of_images : {true, false}) {
    const fs::path there = find_file({dir, ""}, split, of_images), ours = of_images ? images : labels;
    DUEL_CHECK(there.empty() || there == ours, "mnist",
               "{}: is there already and would be read with these images; remove it or choose another folder",
               there.string());
  }
  write_idx(images, std::array{set.count, set.height, set.width}, set.images, gzip);
  if (!labels.empty()) write_idx(labels, std::array{set.count}, set.labels, gzip);
}

ImageSet load_mnist(const fs::path& dir, Split split, const CheckShape& check_shape) {
  std::error_code ignored;
  const MnistPlace place = place_of(dir);
  DUEL_CHECK(fs::exists(place.dir, ignored), "mnist", "{}: no such folder; expected one with MNIST's files",
             dir.string());
  DUEL_CHECK(fs::is_directory(place.dir, ignored), "mnist",
             "{}: is a file; expected the folder with MNIST's files", dir.string());
  const fs::path image_file = image_file_in(place, split), label_file = find_file(place, split, false);
  std::vector<uint8_t> labels;
  if (!label_file.empty()) labels = read_idx_labels(label_file);
  const bool turned = place.prefix.starts_with(kEmnist);
  // Before the images are unpacked: a few bytes can stand for a gigabyte of them.
  ImageSet set = read_idx_images(image_file, [&](std::vector<int64_t> shape) {
    DUEL_CHECK(
        label_file.empty() || static_cast<int64_t>(labels.size()) == shape[0], "idx",
        "{}: count: expected {} labels for the images of {}, got {}; take both files from the same set",
        label_file.string(), shape[0], image_file.filename().string(), labels.size());
    if (turned) std::swap(shape[1], shape[2]);
    if (check_shape) check_shape(shape);
  });
  set.labels = std::move(labels);
  if (turned) {
    detail::transpose(set);
    set.words = emnist_words(place.prefix);
  }
  return set;
}

std::optional<MnistHalf> mnist_half_of(const fs::path& file) {
  const std::string name = file.filename().string();
  const fs::path dir = file.parent_path().empty() ? "." : file.parent_path();
  for (const Split split : {Split::train, Split::test})
    for (const char* word : {"train", "t10k", "test"}) {
      const size_t at = name.find(std::string(word) + "-images");
      if (at == std::string::npos || name.find("ubyte") == std::string::npos) continue;
      const std::string prefix = name.substr(0, at);
      if (stem(prefix, split) != prefix + word) continue;
      const MnistHalf half{prefix.starts_with(kEmnist) ? dir / prefix.substr(0, prefix.size() - 1) : dir,
                           split};
      std::error_code ignored;
      if (fs::equivalent(find_file(place_of(half.dir), split, true), file, ignored)) return half;
    }
  return std::nullopt;
}

bool has_mnist(const fs::path& dir, Split split) { return !find_file(place_of(dir), split, true).empty(); }

fs::path find_mnist(const std::optional<fs::path>& chosen) {
  const auto holder = [](const fs::path& dir) -> fs::path {
    for (const fs::path& inner : {dir, dir / "mnist", dir / "MNIST" / "raw"}) {
      if (!find_file({inner, ""}, Split::train, true).empty()) return inner;
    }
    std::vector<fs::path> found;
    for (const char* kin : {"FashionMNIST/raw", "KMNIST/raw", "QMNIST/raw", "EMNIST/raw", "raw"}) {
      const fs::path inner = dir / fs::path(kin);
      for (const char* prefix : {"", "qmnist-"})
        if (!find_file({inner, prefix}, Split::train, true).empty()) found.push_back(inner);
      if (!emnist_prefixes(inner).empty()) found.push_back(inner);
    }
    DUEL_CHECK(found.size() < 2, "mnist", "{}: holds several data sets; say one of them: {} or {}",
               dir.string(), found.front().string(), found.back().string());
    return found.empty() ? fs::path() : found.front();
  };
  const auto or_itself = [&](const fs::path& dir) {
    const fs::path found = holder(dir);
    return found.empty() ? dir : found;
  };
  if (chosen) return or_itself(*chosen);
  const char* wanted = std::getenv("DUEL_DATA");
  if (wanted != nullptr && *wanted != '\0') return or_itself(wanted);
  const fs::path usual = fs::path("data") / "mnist";
  return find_file({usual, ""}, Split::train, true).empty() ? fs::path() : usual;
}

}  // namespace duel::gan
