// --resize, --gray and --data-classes of commands that read images: the rows of `duel train`, so that they are said once.
#pragma once

#include <string>

#include "../terminal/command_line.h"
#include "duel/gan/data/image_files.h"

namespace duel::apps {

/// Adds the flags; what they say goes to `options`, which must live as long as the command.
void add_image_flags(Command& command, gan::ImageOptions* options);

/// What image_files.h reads, for the help of a flag or of a word.
inline constexpr const char* kImageFiles =
    "an IDX file, .npy, .npz, CIFAR-10's .bin, or a folder of these data sets' files or of PNGs and JPEGs (a sub-folder "
    "for each class)";

}  // namespace duel::apps
