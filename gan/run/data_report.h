// What a run would be trained on, looked at before it is: what `duel data` does, for any program.
//
// Note [Duplicates]
// Images are the same where every pixel is. `duplicates` counts those that an earlier image of the half equals, `shared` the
// test images that are among the training images: held-out images that are not.
//
// Example:
//   const DataReport report = report_data({.data = "pets", .options = {.resize = 32}});
//   std::fputs(to_text(report).c_str(), stdout);
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/data/image_files.h"
#include "duel/gan/picture/png.h"

namespace duel::gan {

struct DataRequest {
  std::optional<std::string> data = {};  // as RunConfig::data; without: what a run without it would take
  ImageOptions options = {};
  int64_t count = 64;              // images of the grid, the first training images
  std::filesystem::path out = {};  // a PNG of the grid to write
  bool force = false;              // replaces a picture that is there
};

/// Of the training or of the test images.
struct DataHalfReport {
  std::string source;
  int64_t count = 0, height = 0, width = 0, channels = 1;
  struct ClassCount {
    int64_t label;
    std::string name;
    int64_t count;
  };
  std::vector<ClassCount> classes = {};           // by label; none without labels
  std::string unlabelled = {};                    // why labels that were found cannot be taken
  std::vector<double> mean = {}, deviation = {};  // of pixels from 0 to 1, of each channel
  int least = 255, greatest = 0;                  // of bytes
  int64_t constant = 0;                           // images all of whose pixels are the same
  int64_t duplicates = 0;                         // Note [Duplicates]
};

struct DataReport {
  std::string path, kind, why;  // path empty: drawn digits
  DataHalfReport train;
  std::optional<DataHalfReport> test = {};
  int64_t shared = 0;  // Note [Duplicates]
  Picture grid = {};
};

/// Reads everything. Error naming the file and what is wrong with it; a picture is written last.
DataReport report_data(const DataRequest& request);

/// For people, 80 columns.
std::string to_text(const DataReport& report);
/// One line of JSON, its end included.
std::string to_json_line(const DataReport& report);

}  // namespace duel::gan
