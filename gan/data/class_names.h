// The classes of a data set. Files and people know a class by its label (a letter of EMNIST by 1 to 26),
// networks by its place among the labels that occur, counted from 0. The labels in rising order are the
// classes' names.
//
// Example:
//   ImageSet letters = load_mnist(dir, Split::train);                   // labels 1 to 26
//   const std::vector<int64_t> names = class_names(letters);            // 1, 2, …, 26
//   number_labels(letters, names);                                      // labels 0 to 25, for a network of 26 classes
//   const std::optional<int64_t> last = class_number(names, 26);        // 25
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/data/image_set.h"

namespace duel::gan {

/// What the set says of its classes, else the labels that occur; none where there are no labels.
std::vector<int64_t> class_names(const ImageSet& set);

/// 0, 1, …, count - 1: the names of classes that have no others.
std::vector<int64_t> counted_names(int64_t count);

/// The place of a label among the names; nothing where it is none of them.
std::optional<int64_t> class_number(const std::vector<int64_t>& names, int64_t label);

/// Every label becomes the number of its class. Error that names the first label which is no class; the set
/// is as before then.
void number_labels(ImageSet& set, const std::vector<int64_t>& names);

/// Leaves out the images whose labels are none of the names; a set without labels stays whole.
void keep_classes(ImageSet& set, const std::vector<int64_t>& names);

/// What a person may say for classes of the set, "3,8", "1-5" or "cat,dog": words of the set, labels, ranges of labels, in
/// any order. Error, as of the setting `name`, naming the first that is none of them; also where the set has no labels.
std::vector<int64_t> chosen_classes(const ImageSet& set, const std::string& name, const std::string& text);

/// The set's words for these labels, in their order, a label without one as its number; none where none has one.
std::vector<std::string> words_of(const ImageSet& set, const std::vector<int64_t>& names);

/// The classes for people: their words, else their labels, "cat, dog" or "1-26". No more than twenty words.
std::string classes_text(const std::vector<int64_t>& names, const std::vector<std::string>& words);

/// "cat/dog", and back: words without "/", which no name of a folder has. Error for more than 256 of them.
std::string class_words_text(const std::vector<std::string>& words);
std::vector<std::string> parse_class_words(const std::string& text);

/// "1-26,255", and back: rising numbers from 0 to 255, at least one. Error for anything else.
std::string class_names_text(const std::vector<int64_t>& names);
std::vector<int64_t> parse_class_names(const std::string& text);

}  // namespace duel::gan
