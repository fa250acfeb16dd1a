#include "duel/gan/data/image_files.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>

#include "duel/gan/data/class_names.h"
#include "duel/gan/data/internal/byte_source.h"
#include "duel/gan/data/internal/data_layout.h"
#include "duel/gan/data/internal/image_limits.h"
#include "duel/gan/data/internal/npy.h"
#include "duel/gan/data/internal/picture_file.h"
#include "duel/gan/data/internal/planes.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;
using detail::DataHalf;
using detail::Form;

/// How a half is read: what is asked of it, and the check of its shape as it lies in the file.
struct Reading {
  const ImageOptions& options;
  CheckShape check;
  Colours colours = Colours::kept;  // of arrays: kept where they are to become gray afterwards
};

ImageSet read_npy_file(const fs::path& path, const Reading& how) {
  ByteSource source("npy", path);
  return detail::read_npy(
      path.string(), source.file_size(), [&](std::span<uint8_t> out) { return source.read(out); }, how.check,
      how.colours);
}

ImageSet read_npz_file(const DataHalf& half, const Reading& how) {
  const std::string file = half.files[0].string();
  detail::ZipArchive archive("npz", half.files[0]);
  const auto what = [&](const detail::ZipEntry& entry) { return message("{}: {}", file, shown(entry.name)); };
  ImageSet set;
  archive.read(*half.images, [&](const detail::ZipArchive::Read& read) {
    set = detail::read_npy(what(*half.images), half.images->size, read, how.check, how.colours);
  });
  set.source = file;
  if (!half.image_labels) return set;
  // Labels are not always wanted, and there are archives whose labels a byte does not hold, of ImageNet's 1,000 classes, say.
  try {
    archive.read(*half.image_labels, [&](const detail::ZipArchive::Read& read) {
      set.labels =
          detail::read_npy_labels(what(*half.image_labels), half.image_labels->size, read, set.count);
    });
  } catch (const Error& error) {
    set.labels.clear();
    set.unlabelled = error.what();
  }
  return set;
}

ImageSet read_cifar(const std::vector<fs::path>& files, const Reading& how) {
  static const std::vector<std::string> words = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                 "dog",      "frog",       "horse", "ship", "truck"};
  ImageSet set;
  set.height = set.width = detail::kCifarSide;
  set.channels = 3;
  set.words = words;
  set.source = files.size() == 1 ? files[0].string() : files[0].parent_path().string();
  std::vector<std::unique_ptr<ByteSource>> sources;
  for (const fs::path& file : files) {
    sources.push_back(std::make_unique<ByteSource>("cifar", file));
    const int64_t size = sources.back()->file_size();
    DUEL_CHECK(
        !sources.back()->is_gzip() && size > 0 && size % detail::kCifarRecord == 0, "cifar",
        "{}: length: expected a multiple of {} bytes (a label and 3 x 32 x 32 pixels), got {}; get the file again",
        file.string(), detail::kCifarRecord, size);
    set.count += size / detail::kCifarRecord;
  }
  DUEL_CHECK(set.count <= detail::kMaxPixels / set.pixels(), "cifar",
             "{}: expected at most {} pixels in all, got {} images", set.source, detail::kMaxPixels,
             set.count);
  if (how.check) how.check(detail::shape_of(set));
  std::vector<uint8_t> record(detail::kCifarRecord);
  for (size_t f = 0; f < files.size(); ++f) {
    for (int64_t i = 0, n = sources[f]->file_size() / detail::kCifarRecord; i < n; ++i) {
      DUEL_CHECK(sources[f]->read(record) == record.size(), "cifar", "{}: could not be read to its end",
                 files[f].string());
      DUEL_CHECK(record[0] < detail::kCifarClasses, "cifar",
                 "{}: label of image {}: expected 0 to 9, got {}; is this CIFAR-10's binary version?",
                 files[f].string(), i, int{record[0]});
      set.labels.push_back(record[0]);
      set.images.insert(set.images.end(), record.begin() + 1, record.end());
    }
  }
  return set;
}

/// Of one size, or brought to it one by one.
ImageSet read_pictures(const fs::path& folder, const std::vector<fs::path>& files, const Reading& how) {
  ImageSet set;
  set.count = static_cast<int64_t>(files.size());
  set.source = folder.string();
  const int64_t side = how.options.resize;
  const bool gray = how.options.gray || how.colours == Colours::gray;
  bool lost = false;  // colours
  for (const fs::path& file : files) {
    ImageSet one;
    one.count = 1;
    one.images = detail::read_picture_file(file, [&](const detail::PictureSize& size) {
      const int64_t channels = size.colour && !gray ? 3 : 1;
      lost = lost || (size.colour && channels == 1);
      one.height = size.height;
      one.width = size.width;
      one.channels = channels;
      if (set.images.empty()) {
        set.height = side > 0 ? side : size.height;
        set.width = side > 0 ? side : size.width;
        set.channels = channels;
        DUEL_CHECK(set.count <= detail::kMaxPixels / set.pixels(), "images",
                   "{}: expected at most {} pixels in all, got {} images of {}x{}", folder.string(),
                   detail::kMaxPixels, set.count, set.height, set.width);
        if (how.check) how.check(detail::shape_of(set));
      }
      DUEL_CHECK(side > 0 || (size.height == set.height && size.width == set.width), "images",
                 "{}: expected images of one size, {}x{}, got {}x{}; bring them to one with --resize",
                 file.string(), set.height, set.width, size.height, size.width);
      DUEL_CHECK(
          channels == set.channels, "images",
          "{}: expected images of one kind, all gray or all in colour, got the other one; make all gray with --gray",
          file.string());
      return static_cast<int>(channels);
    });
    if (side > 0) detail::resize(one, side);
    set.images.insert(set.images.end(), one.images.begin(), one.images.end());
  }
  if (lost) set.source += " (colours as their brightness)";
  return set;
}

ImageSet as_it_lies(const fs::path& path, const DataHalf& half, const Reading& how) {
  switch (half.form) {
    case Form::mnist:
      return load_mnist(half.files[0], half.split, how.check);
    case Form::idx:
      return read_idx_images(half.files[0], how.check);
    case Form::cifar:
      return read_cifar(half.files, how);
    case Form::npy:
      return read_npy_file(half.files[0], how);
    case Form::npz:
      return read_npz_file(half, how);
    case Form::pictures: {
      ImageSet set = read_pictures(path, half.files, how);
      set.labels = half.labels;
      set.words = half.words;
      set.unlabelled = half.unlabelled;
      return set;
    }
  }
  fail("images", "{}: is of no form", path.string());
}

ImageSet read_data_half(const fs::path& path, const DataHalf& half, const ImageOptions& options,
                        const CheckShape& check_shape, Colours colours) {
  DUEL_CHECK(options.resize >= 0 && options.resize <= detail::kMaxSide, "images",
             "resize: expected 0 to {}, got {}", detail::kMaxSide, options.resize);
  const bool reader_resizes = half.form == Form::pictures;
  const Reading how{
      options,
      [&](std::vector<int64_t> shape) {
        DUEL_CHECK(colours == Colours::kept || options.gray || shape.size() == 3, "images",
                   "{}: expected gray images, got images of 3 channels; make them gray with --gray",
                   path.string());
        if (options.resize > 0) {
          shape[1] = shape[2] = options.resize;
          DUEL_CHECK(shape[0] <= detail::kMaxPixels / (3 * options.resize * options.resize), "images",
                     "{}: resize: expected at most {} pixels in all, got {} images of {}x{}", path.string(),
                     detail::kMaxPixels, shape[0], options.resize, options.resize);
        }
        if (options.gray) shape.resize(3);
        if (check_shape) check_shape(shape);
      },
      options.gray ? Colours::kept : colours};
  ImageSet set = as_it_lies(path, half, how);
  if (!options.classes.empty()) {
    const std::vector<int64_t> kept = chosen_classes(set, "data-classes", options.classes);
    keep_classes(set, kept);
    set.classes = kept;
  }
  if (options.gray && set.channels == 3) {
    detail::make_gray(set);
    set.source += " (colours as their brightness)";
  }
  if (options.resize > 0 && !reader_resizes) detail::resize(set, options.resize);
  return set;
}

}  // namespace

ImageSet read_picture(const fs::path& path, Colours colours) {
  return read_pictures(path, {path}, {ImageOptions(), {}, colours});
}

ImageSet read_images(const fs::path& path, const CheckShape& check_shape, Colours colours,
                     const ImageOptions& options) {
  const detail::DataLayout layout = detail::layout_of(path);
  std::error_code ignored;
  // A file of one half is what was meant, whatever lies beside it.
  const bool itself = layout.train && layout.train->form == Form::mnist && fs::is_regular_file(path, ignored);
  return read_data_half(path, layout.test && !itself ? *layout.test : *layout.train, options, check_shape,
                        colours);
}

ImageSet read_half(const fs::path& path, Split split, const ImageOptions& options,
                   const CheckShape& check_shape, Colours colours) {
  const detail::DataLayout layout = detail::layout_of(path);
  const bool mnist = (layout.train ? layout.train : layout.test)->form == Form::mnist;
  const std::optional<DataHalf>& half = split == Split::train ? layout.train : layout.test;
  if (!half && mnist) load_mnist(find_mnist(path), split);  // which says what names it looked for
  DUEL_CHECK(half, "images", "{}: has no {} images; it is {}", path.string(),
             split == Split::train ? "training" : "test", layout.kind);
  return read_data_half(path, *half, options, check_shape, colours);
}

bool has_half(const fs::path& path, Split split) {
  const detail::DataLayout layout = detail::layout_of(path);
  return (split == Split::train ? layout.train : layout.test).has_value();
}

std::string kind_of_data(const fs::path& path) { return detail::layout_of(path).kind; }

DataPlace locate_data(const std::optional<fs::path>& chosen) {
  if (chosen) return {find_mnist(chosen), "it was chosen"};
  const char* wanted = std::getenv("DUEL_DATA");
  if (wanted != nullptr && *wanted != '\0') return {find_mnist(), "$DUEL_DATA says so"};
  const fs::path found = find_mnist();
  return found.empty() ? DataPlace{{}, "$DUEL_DATA is not set, data/mnist is not there: digits are drawn"}
                       : DataPlace{found, "$DUEL_DATA is not set, and data/mnist is there"};
}

}  // namespace duel::gan
