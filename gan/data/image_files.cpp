#include "duel/gan/data/image_files.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <string>

#include "duel/gan/data/idx.h"
#include "duel/gan/data/internal/byte_source.h"
#include "duel/gan/data/internal/image_limits.h"
#include "duel/gan/data/internal/npy.h"
#include "duel/gan/data/internal/png_reader.h"
#include "duel/gan/data/internal/zip.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;

ImageSet read_idx_images(const fs::path& path, const CheckShape& check_shape) {
  IdxData idx = read_idx(path, 3, check_shape);
  ImageSet set;
  set.count = idx.shape[0];
  set.height = idx.shape[1];
  set.width = idx.shape[2];
  set.images = std::move(idx.data);
  set.source = path.string();
  return set;
}

ImageSet read_npy_file(const fs::path& path, const CheckShape& check_shape, Colours colours) {
  ByteSource source("npy", path);
  return detail::read_npy(
      path.string(), source.file_size(), [&](std::span<uint8_t> out) { return source.read(out); },
      check_shape, colours);
}

/// The only array, or the one that is called as NumPy calls the first, or "images".
const detail::ZipEntry& images_in(const std::vector<detail::ZipEntry>& entries, const std::string& file) {
  std::vector<const detail::ZipEntry*> arrays;
  std::string names;
  for (const detail::ZipEntry& entry : entries) {
    if (!entry.name.ends_with(".npy")) continue;
    arrays.push_back(&entry);
    names += (names.empty() ? "" : ", ") + shown(entry.name.substr(0, entry.name.size() - 4));
  }
  DUEL_CHECK(!arrays.empty(), "npz", "{}: expected an archive of numpy.savez, got one without arrays", file);
  if (arrays.size() == 1) return *arrays[0];
  for (const char* name : {"images.npy", "arr_0.npy"}) {
    const auto found = std::find_if(arrays.begin(), arrays.end(),
                                    [name](const detail::ZipEntry* entry) { return entry->name == name; });
    if (found != arrays.end()) return **found;
  }
  fail("npz", "{}: expected one array, or one that is called images, got {}", file, shown(names));
}

ImageSet read_npz_file(const fs::path& path, const CheckShape& check_shape, Colours colours) {
  detail::ZipArchive archive("npz", path);
  const detail::ZipEntry& entry = images_in(archive.entries(), path.string());
  ImageSet set;
  archive.read(entry, [&](const detail::ZipArchive::Read& read) {
    set = detail::read_npy(message("{}: {}", path.string(), shown(entry.name)), entry.size, read, check_shape,
                           colours);
  });
  set.source = path.string();
  return set;
}

bool is_png(const fs::path& file) {
  std::string ending = file.extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending == ".png";
}

/// The folder's PNGs in the order of their names.
std::vector<fs::path> pngs_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator i(folder, error), end; !error && i != end; i.increment(error))
    if (is_png(i->path())) files.push_back(i->path());
  DUEL_CHECK(!error, "images", "{}: could not be read: {}", folder.string(), error.message());
  std::sort(files.begin(), files.end());
  return files;
}

ImageSet read_pngs(const fs::path& folder, const std::vector<fs::path>& files, const CheckShape& check_shape,
                   Colours colours) {
  ImageSet set;
  set.count = static_cast<int64_t>(files.size());
  set.source = folder.string();
  bool lost = false;  // colours
  for (const fs::path& file : files) {
    const std::vector<uint8_t> pixels = detail::read_png(file, [&](const detail::PngSize& size) {
      const int64_t channels = colours == Colours::kept && size.colour ? 3 : 1;
      lost = lost || (size.colour && channels == 1);
      if (set.images.empty()) {
        set.height = size.height;
        set.width = size.width;
        set.channels = channels;
        DUEL_CHECK(set.count <= detail::kMaxPixels / set.pixels(), "images",
                   "{}: expected at most {} pixels in all, got {} images of {}x{}", folder.string(),
                   detail::kMaxPixels, set.count, set.height, set.width);
        if (check_shape) check_shape(detail::shape_of(set));
      }
      DUEL_CHECK(size.height == set.height && size.width == set.width, "images",
                 "{}: expected images of one size, {}x{}, got {}x{}", file.string(), set.height, set.width,
                 size.height, size.width);
      DUEL_CHECK(channels == set.channels, "images",
                 "{}: expected images of one kind, all gray or all in colour, got the other one",
                 file.string());
      return static_cast<int>(channels);
    });
    set.images.insert(set.images.end(), pixels.begin(), pixels.end());
  }
  if (lost) set.source += " (colours as their brightness)";
  return set;
}

ImageSet read_folder(const fs::path& path, const CheckShape& check_shape, Colours colours) {
  const fs::path mnist = find_mnist(path);
  for (const Split split : {Split::test, Split::train}) {
    if (!has_mnist(mnist, split)) continue;
    ImageSet set = load_mnist(mnist, split);
    if (check_shape) check_shape({set.count, set.height, set.width});
    return set;
  }
  const std::vector<fs::path> files = pngs_of(path);
  DUEL_CHECK(!files.empty(), "images", "{}: expected PNGs or MNIST's files in this folder, found none",
             path.string());
  return read_pngs(path, files, check_shape, colours);
}

}  // namespace

ImageSet read_picture(const fs::path& path, Colours colours) { return read_pngs(path, {path}, {}, colours); }

ImageSet read_images(const fs::path& path, const CheckShape& check_shape, Colours colours) {
  std::error_code ignored;
  DUEL_CHECK(fs::exists(path, ignored), "images", "{}: no such file or folder", path.string());
  if (fs::is_directory(path, ignored)) return read_folder(path, check_shape, colours);
  DUEL_CHECK(fs::is_regular_file(path, ignored), "images", "{}: is not a regular file", path.string());
  std::string begin(6, '\0');
  std::ifstream file(path, std::ios::binary);
  DUEL_CHECK(file, "images", "{}: could not be opened", path.string());
  file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<size_t>(file.gcount()));
  if (begin == "\x93NUMPY") return read_npy_file(path, check_shape, colours);
  if (begin.starts_with("PK")) return read_npz_file(path, check_shape, colours);
  if (begin.starts_with(std::string_view("\0\0", 2)) || begin.starts_with("\x1f\x8b"))
    return read_idx_images(path, check_shape);
  DUEL_CHECK(!begin.starts_with("\x89PNG"), "images",
             "{}: is one picture; expected the folder of all of them", path.string());
  fail(
      "images",
      "{}: expected an IDX file (plain or gzip), .npy, .npz, or a folder of PNGs or of MNIST's files; this file is "
      "none of them",
      path.string());
}

}  // namespace duel::gan
