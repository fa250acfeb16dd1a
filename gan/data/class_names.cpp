#include "duel/gan/data/class_names.h"

#include <algorithm>
#include <bitset>
#include <charconv>
#include <numeric>

#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

constexpr int64_t kLabels = 256;  // a label is a byte

}  // namespace

std::vector<int64_t> class_names(const ImageSet& set) {
  if (!set.classes.empty()) return set.classes;
  std::bitset<kLabels> occurs;
  for (const uint8_t label : set.labels) occurs.set(label);
  std::vector<int64_t> names;
  for (int64_t label = 0; label < kLabels; ++label) {
    if (occurs.test(static_cast<size_t>(label))) names.push_back(label);
  }
  return names;
}

std::vector<int64_t> counted_names(int64_t count) {
  std::vector<int64_t> names(static_cast<size_t>(count));
  std::iota(names.begin(), names.end(), int64_t{0});
  return names;
}

std::optional<int64_t> class_number(const std::vector<int64_t>& names, int64_t label) {
  const auto found = std::lower_bound(names.begin(), names.end(), label);
  if (found == names.end() || *found != label) return std::nullopt;
  return found - names.begin();
}

void number_labels(ImageSet& set, const std::vector<int64_t>& names) {
  std::vector<uint8_t> numbers;
  numbers.reserve(set.labels.size());
  for (const uint8_t label : set.labels) {
    const std::optional<int64_t> number = class_number(names, label);
    DUEL_CHECK(number, "data", "{}: label {} of image {} is none of the classes {}", set.source, int{label},
               numbers.size(), class_names_text(names));
    numbers.push_back(static_cast<uint8_t>(*number));
  }
  set.labels = std::move(numbers);
  set.words = words_of(set, names);
  set.classes = counted_names(static_cast<int64_t>(names.size()));
}

void keep_classes(ImageSet& set, const std::vector<int64_t>& names) {
  if (set.labels.empty()) return;
  const int64_t pixels = set.pixels();
  int64_t kept = 0;
  for (int64_t i = 0; i < set.count; ++i) {
    const uint8_t label = set.labels[static_cast<size_t>(i)];
    if (!class_number(names, label)) continue;
    if (kept < i) std::copy_n(set.images.begin() + i * pixels, pixels, set.images.begin() + kept * pixels);
    set.labels[static_cast<size_t>(kept++)] = label;
  }
  set.count = kept;
  set.images.resize(static_cast<size_t>(kept * pixels));
  set.labels.resize(static_cast<size_t>(kept));
}

std::string class_names_text(const std::vector<int64_t>& names) {
  std::string text;
  for (size_t begin = 0, end = 0; begin < names.size(); begin = end) {
    for (end = begin + 1; end < names.size() && names[end] == names[end - 1] + 1;) ++end;
    text += (text.empty() ? "" : ",") + std::to_string(names[begin]);
    if (end - begin > 1) text += "-" + std::to_string(names[end - 1]);
  }
  return text;
}

std::vector<int64_t> parse_class_names(const std::string& text) {
  std::vector<int64_t> names;
  const char *at = text.data(), *end = at + text.size();
  const auto label = [&] {
    int64_t value = -1;
    const auto [stop, status] = std::from_chars(at, end, value);
    DUEL_CHECK(status == std::errc() && value >= (names.empty() ? 0 : names.back() + 1) && value < kLabels,
               "config", "class-names: expected rising labels from 0 to {}, as 1-26 or 0,3,7, got '{}'",
               kLabels - 1, text);
    at = stop;
    return value;
  };
  for (;;) {
    names.push_back(label());
    if (at != end && *at == '-') {
      ++at;
      const int64_t last = label();
      while (names.back() < last) names.push_back(names.back() + 1);
    }
    if (at == end) return names;
    DUEL_CHECK(*at++ == ',', "config", "class-names: expected labels as 1-26 or 0,3,7, got '{}'", text);
  }
}

std::vector<int64_t> chosen_classes(const ImageSet& set, const std::string& name, const std::string& text) {
  DUEL_CHECK(!set.labels.empty(), "config",
             "{}: {} has no labels{}; leave it out, or put labels beside the images", name, set.source,
             set.unlabelled.empty() ? "" : " (" + set.unlabelled + ")");
  const std::vector<int64_t> known = class_names(set);
  std::bitset<kLabels> chosen;
  const auto wrong = [&](const std::string& item) {
    fail("config", "{}: expected classes of {}, {}, as 3,8 or 1-5 or by name, got {}", name, set.source,
         classes_text(known, words_of(set, known)), in_quotes(item));
  };
  const auto take = [&](int64_t label, const std::string& item) {
    if (!class_number(known, label)) wrong(item);
    chosen.set(static_cast<size_t>(label));
  };
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    begin = end + 1;
    const auto word = std::find(set.words.begin(), set.words.end(), item);
    if (word != set.words.end() && !item.empty()) {
      take(word - set.words.begin(), item);
      continue;
    }
    const size_t dash = item.find('-');
    const auto first = parse_number<int64_t>(item.substr(0, dash));
    const auto last = dash == std::string::npos ? first : parse_number<int64_t>(item.substr(dash + 1));
    if (!first || !last || *first > *last || *last >= kLabels) wrong(item);
    for (int64_t label = *first; label <= *last; ++label) take(label, item);
  }
  std::vector<int64_t> names;
  for (const int64_t label : known)
    if (chosen.test(static_cast<size_t>(label))) names.push_back(label);
  return names;
}

std::vector<std::string> words_of(const ImageSet& set, const std::vector<int64_t>& names) {
  std::vector<std::string> words;
  bool any = false;
  for (const int64_t label : names) {
    const auto at = static_cast<size_t>(label);
    const bool called = at < set.words.size() && !set.words[at].empty();
    words.push_back(called ? set.words[at] : std::to_string(label));
    any = any || called;
  }
  return any ? words : std::vector<std::string>();
}

std::string classes_text(const std::vector<int64_t>& names, const std::vector<std::string>& words) {
  constexpr size_t kShown = 20;
  if (words.size() != names.size() || words.empty()) return class_names_text(names);
  std::vector<std::string> parts;
  for (size_t i = 0; i < std::min(words.size(), kShown); ++i) parts.push_back(shown(words[i]));
  if (words.size() > kShown) parts.push_back(message("… {} in all", words.size()));
  return joined(parts);
}

std::string class_words_text(const std::vector<std::string>& words) { return joined(words, "/"); }

std::vector<std::string> parse_class_words(const std::string& text) {
  std::vector<std::string> words{""};
  for (const char c : text) {
    if (c != '/') {
      words.back() += c;
    } else {
      words.emplace_back();
    }
    DUEL_CHECK(words.size() <= kLabels, "config", "class-words: expected at most {} words", kLabels);
  }
  return words;
}

}  // namespace duel::gan
