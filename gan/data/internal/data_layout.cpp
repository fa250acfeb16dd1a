#include "duel/gan/data/internal/data_layout.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "duel/gan/data/internal/picture_file.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::detail {
namespace {

namespace fs = std::filesystem;

constexpr const char* kForms =
    "MNIST's or EMNIST's files, CIFAR-10's binary ones (data_batch_1.bin), PNGs or JPEGs, or a sub-folder of pictures for "
    "each class";

// ---- Archives of NumPy -----------------------------------------------------------------------------------------

/// Names by which arrays of images and of their labels are known: of Duel and numpy.savez, Keras, MedMNIST, scikit-learn.
struct ArrayNames {
  Split split;
  const char *images, *labels;
};
constexpr ArrayNames kArrayNames[] = {
    {Split::train, "images", "labels"},
    {Split::train, "x_train", "y_train"},
    {Split::train, "train_images", "train_labels"},
    {Split::train, "X_train", "y_train"},
    {Split::train, "arr_0", "arr_1"},
    {Split::train, "x", "y"},
    {Split::train, "data", "target"},
    {Split::test, "x_test", "y_test"},
    {Split::test, "test_images", "test_labels"},
    {Split::test, "X_test", "y_test"},
};

DataLayout npz_layout(const fs::path& path) {
  const ZipArchive archive("npz", path);
  std::vector<const ZipEntry*> arrays;
  std::string names;
  for (const ZipEntry& entry : archive.entries()) {
    if (!entry.name.ends_with(".npy")) continue;
    arrays.push_back(&entry);
    names += (names.empty() ? "" : ", ") + shown(entry.name.substr(0, entry.name.size() - 4));
  }
  DUEL_CHECK(!arrays.empty(), "npz", "{}: expected an archive of numpy.savez, got one without arrays",
             path.string());
  const auto named = [&](const std::string& name) -> std::optional<ZipEntry> {
    for (const ZipEntry* entry : arrays)
      if (entry->name == name + ".npy") return *entry;
    return std::nullopt;
  };
  DataLayout layout{.kind = "an archive of NumPy (.npz)"};
  for (const ArrayNames& row : kArrayNames) {
    std::optional<DataHalf>& half = row.split == Split::train ? layout.train : layout.test;
    const std::optional<ZipEntry> images = named(row.images);
    if (half || !images) continue;
    half = DataHalf{.form = Form::npz, .files = {path}, .images = images, .image_labels = named(row.labels)};
  }
  if (!layout.train && arrays.size() == 1)
    layout.train = DataHalf{.form = Form::npz, .files = {path}, .images = *arrays[0]};
  DUEL_CHECK(layout.train || layout.test, "npz",
             "{}: expected one array, or one that is called images, got {}", path.string(), shown(names));
  if (!layout.train) std::swap(layout.train, layout.test);
  return layout;
}

// ---- Folders ---------------------------------------------------------------------------------------------------

/// Sorted by name; `wanted` says which.
std::vector<fs::path> entries_of(const fs::path& folder, bool (*wanted)(const fs::directory_entry&)) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator i(folder, error), end; !error && i != end; i.increment(error))
    if (wanted(*i)) found.push_back(i->path());
  DUEL_CHECK(!error, "images", "{}: could not be read: {}", folder.string(), error.message());
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<fs::path> pictures_in(const fs::path& folder) {
  return entries_of(folder, [](const fs::directory_entry& e) { return is_picture_name(e.path()); });
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  return entries_of(folder, [](const fs::directory_entry& e) {
    std::error_code ignored;
    const std::string name = e.path().filename().string();
    return e.is_directory(ignored) && !name.starts_with(".") && !name.starts_with("__MACOSX");
  });
}

std::optional<DataLayout> cifar_layout(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::path& dir : {folder, folder / "cifar-10-batches-bin"}) {
    DataLayout layout{.kind = "CIFAR-10"};
    DataHalf train{.form = Form::cifar}, test = train;
    for (int i = 1; i <= 5; ++i) {
      const fs::path file = dir / message("data_batch_{}.bin", i);
      if (fs::exists(file, ignored)) train.files.push_back(file);
    }
    if (fs::exists(dir / "test_batch.bin", ignored)) test.files.push_back(dir / "test_batch.bin");
    if (!train.files.empty()) layout.train = train;
    if (!test.files.empty()) layout.test = test;
    if (layout.train || layout.test) return layout;
  }
  for (const fs::path& dir : {folder, folder / "cifar-10-batches-py"})
    DUEL_CHECK(
        !fs::exists(dir / "data_batch_1", ignored), "images",
        "{}: is a pickle of Python's, which is never read; take CIFAR-10's binary version, data_batch_1.bin",
        (dir / "data_batch_1").string());
  return std::nullopt;
}

/// A sub-folder for each class: its pictures by the class's name.
using ClassFolders = std::map<std::string, std::vector<fs::path>>;

ClassFolders class_folders(const fs::path& folder) {
  ClassFolders found;
  for (const fs::path& each : folders_in(folder))
    if (std::vector<fs::path> pictures = pictures_in(each); !pictures.empty())
      found[visible(each.filename().string())] = std::move(pictures);
  return found;
}

/// Labels by the names' order, or the numbers that all of them are. More than labels can say: none.
std::map<std::string, uint8_t> labels_for(const std::set<std::string>& names) {
  std::map<std::string, uint8_t> labels;
  for (const std::string& name : names) {
    const auto number = parse_number<int64_t>(name);
    if (!number || std::to_string(*number) != name || *number < 0 || *number > 255) break;
    labels[name] = static_cast<uint8_t>(*number);
  }
  if (labels.size() == names.size()) return labels;
  labels.clear();
  if (names.size() > 256) return labels;
  for (const std::string& name : names) labels[name] = static_cast<uint8_t>(labels.size());
  return labels;
}

/// The first picture of each class, then the second: the first images of the set are of all classes.
DataHalf half_of(const ClassFolders& classes, const std::map<std::string, uint8_t>& labels) {
  DataHalf half{.form = Form::pictures};
  if (labels.empty()) half.unlabelled = "more than 256 sub-folders, which labels cannot number";
  size_t most = 0;
  for (const auto& [name, files] : classes) most = std::max(most, files.size());
  for (size_t i = 0; i < most; ++i)
    for (const auto& [name, files] : classes) {
      if (i >= files.size()) continue;
      half.files.push_back(files[i]);
      if (!labels.empty()) half.labels.push_back(labels.at(name));
    }
  for (const auto& [name, label] : labels) {
    if (name == std::to_string(label)) continue;
    if (half.words.size() <= label) half.words.resize(size_t{label} + 1);
    half.words[label] = name;
  }
  return half;
}

/// Pictures, or sub-folders of them for each class.
struct PictureFolder {
  std::vector<fs::path> flat;
  ClassFolders classes;
  bool empty() const { return flat.empty() && classes.empty(); }
};

PictureFolder picture_folder(const fs::path& folder) {
  PictureFolder found{.flat = pictures_in(folder), .classes = {}};
  if (found.flat.empty()) found.classes = class_folders(folder);
  return found;
}

std::optional<DataLayout> picture_layout(const fs::path& folder) {
  std::error_code ignored;
  PictureFolder train, test;
  for (const char* name : {"train", "training"})
    if (train.empty() && fs::is_directory(folder / name, ignored)) train = picture_folder(folder / name);
  for (const char* name : {"test", "testing", "val", "valid", "validation"})
    if (!train.empty() && test.empty() && fs::is_directory(folder / name, ignored))
      test = picture_folder(folder / name);
  if (train.empty()) train = picture_folder(folder);
  if (train.empty()) return std::nullopt;
  DataLayout layout{.kind = train.classes.empty() ? "a folder of pictures"
                                                  : "folders of pictures, one for each class"};
  std::set<std::string> names;
  for (const PictureFolder* each : {&train, &test})
    for (const auto& [name, files] : each->classes) names.insert(name);
  const std::map<std::string, uint8_t> labels = labels_for(names);
  const auto half = [&](PictureFolder& from) {
    if (from.classes.empty()) return DataHalf{.form = Form::pictures, .files = std::move(from.flat)};
    return half_of(from.classes, labels);
  };
  layout.train = half(train);
  if (!test.empty()) layout.test = half(test);
  return layout;
}

DataLayout mnist_layout(const fs::path& dir, bool train, bool test) {
  DataLayout layout{.kind = "IDX files"};
  if (train) layout.train = DataHalf{.files = {dir}};
  if (test) layout.test = DataHalf{.files = {dir}, .split = Split::test};
  return layout;
}

DataLayout file_layout(const fs::path& path) {
  std::string begin(6, '\0');
  std::ifstream file(path, std::ios::binary);
  DUEL_CHECK(file, "images", "{}: could not be opened", path.string());
  file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<size_t>(file.gcount()));
  if (begin == "\x93NUMPY")
    return {.kind = "an array of NumPy (.npy)", .train = DataHalf{.form = Form::npy, .files = {path}}};
  if (begin.starts_with("PK")) return npz_layout(path);
  if (path.extension() == ".bin")
    return {.kind = "a file of CIFAR-10", .train = DataHalf{.form = Form::cifar, .files = {path}}};
  if (begin.starts_with(std::string_view("\0\0", 2)) || begin.starts_with("\x1f\x8b")) {
    const std::optional<MnistHalf> half = mnist_half_of(path);
    if (!half) return {.kind = "an IDX file", .train = DataHalf{.form = Form::idx, .files = {path}}};
    DataLayout layout =
        mnist_layout(half->dir, true, half->split == Split::train && has_mnist(half->dir, Split::test));
    layout.train->split = half->split;
    return layout;
  }
  DUEL_CHECK(!begin.starts_with("\x89PNG") && !begin.starts_with("\xff\xd8\xff"), "images",
             "{}: is one picture; expected the folder of all of them", path.string());
  fail(
      "images",
      "{}: expected an IDX file (plain or gzip), .npy, .npz, CIFAR-10's .bin, or a folder of pictures or of MNIST's "
      "files; this file is none of them",
      path.string());
}

}  // namespace

DataLayout layout_of(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    const bool train = has_mnist(path, Split::train),
               test = has_mnist(path, Split::test);  // DIR/emnist-letters
    DUEL_CHECK(train || test, "images",
               "{}: no such folder or file; expected a folder with {}, an IDX file, .npy or .npz",
               path.string(), kForms);
    return mnist_layout(path, train, test);
  }
  if (!fs::is_directory(path, ignored)) {
    DUEL_CHECK(fs::is_regular_file(path, ignored), "images", "{}: is not a regular file", path.string());
    return file_layout(path);
  }
  const fs::path dir = find_mnist(path);
  const bool train = has_mnist(dir, Split::train), test = has_mnist(dir, Split::test);
  if (train || test) return mnist_layout(dir, train, test);
  if (std::optional<DataLayout> cifar = cifar_layout(path)) return *cifar;
  if (std::optional<DataLayout> pictures = picture_layout(path)) return *pictures;
  fail("images", "{}: expected {} in this folder, found none", path.string(), kForms);
}

}  // namespace duel::gan::detail
