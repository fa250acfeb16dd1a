#include "duel/gan/objective/regularisers/augmentation.h"

#include <algorithm>

#include "duel/core/ops.h"
#include "duel/gan/objective/regularisers/geometry.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

constexpr int64_t kMoved = 8, kCut = 2;  // a side over what it is moved by at most, over the square's

Tensor colored(const Tensor& images, Generator& random) {
  const Shape each{images.dim(0), 1, 1, 1};
  Tensor x = images + random.uniform(each, -0.5, 0.5, images.options());
  if (images.dim(1) > 1) {
    const Tensor gray = mean(x, {1}, true);
    x = gray + (x - gray) * random.uniform(each, 0, 2, images.options());
  }
  const Tensor middle = mean(x, {1, 2, 3}, true);
  return middle + (x - middle) * random.uniform(each, 0.5, 1.5, images.options());
}

/// 0, 1, … along one axis, 1 long on the others.
Tensor places(const Tensor& images, int axis) {
  const int64_t side = images.dim(axis);
  return arange(int64_t{0}, side, 1, {DType::i64, images.device()})
      .reshape(Shape{1, 1, 1, 1}.with(axis, side));
}

/// Each image moved along one axis by a draw of its own, zeros behind it.
Tensor moved_along(const Tensor& images, int axis, Generator& random) {
  const int64_t n = images.dim(0), side = images.dim(axis), most = (side + kMoved / 2) / kMoved;
  if (most == 0) return images;
  const Tensor from = random.integers({n, 1, 1, 1}, 2 * most + 1, images.device());
  return gather(pad(images, axis, most, most), axis,
                broadcast_to(places(images, axis) + from, images.shape()));
}

/// 1 along an axis within the square, 0 outside, for each image.
Tensor within(const Tensor& images, int axis, Generator& random) {
  const int64_t side = images.dim(axis), cut = std::max<int64_t>(side / kCut, 1);
  // The square begins somewhere from half of itself before the image to half of itself before its end.
  const Tensor from = random.integers({images.dim(0), 1, 1, 1}, side + 1 - cut % 2, images.device()) -
                      static_cast<double>(cut / 2);
  const Tensor behind = places(images, axis) - from;
  return ((behind >= 0.0) && (behind < static_cast<double>(cut))).to(images.dtype());
}

Tensor cut_out(const Tensor& images, Generator& random) {
  const Tensor rows = within(images, 2, random), columns = within(images, 3, random);
  return images * (1.0 - rows * columns);
}

struct Policy {
  const char* name;
  Tensor (*of)(const Tensor&, Generator&);
};
constexpr Policy kPolicies[] = {{"flip", flipped},           {"turn", turned},
                                {"affine", mapped_affinely}, {"color", colored},
                                {"translation", translated}, {"cutout", cut_out}};

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    words.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return words;
}

/// What augmentation() makes, so that its text can be found again.
struct Policies {
  std::string text;
  std::vector<Policy> in_turn;
  Tensor operator()(const Tensor& images, Generator& random) const {
    Tensor x = images;
    for (const Policy& policy : in_turn) x = policy.of(x, random);
    return x;
  }
};

/// `changed` for each image with probability p, else as it was.
Tensor chosen(const Tensor& changed, const Tensor& images, Generator& random, const Tensor& p) {
  const Tensor drawn = random.uniform({images.dim(0)}, 0, 1, images.options());
  return where(per_row(drawn < p, images), changed, images);
}

}  // namespace

Tensor translated(const Tensor& images, Generator& random) {
  return moved_along(moved_along(images, 2, random), 3, random);
}

const std::vector<std::string>& augmentation_policies() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Policy& policy : kPolicies) all.emplace_back(policy.name);
    return all;
  }();
  return names;
}

std::string canonical_policy(const char* op, const std::string& text) {
  if (text == "none") return text;
  const std::vector<std::string> words = words_of(text), &known = augmentation_policies();
  std::string all;
  for (const std::string& name : known) all += (all.empty() ? "" : ", ") + name;
  for (const std::string& word : words) {
    if (std::find(known.begin(), known.end(), word) != known.end()) continue;
    const std::string nearest = nearest_name(word, known);
    fail(op, "expected none, or names with commas between of {}, got '{}'{}", all, word,
         nearest.empty() ? "" : ": did you mean '" + nearest + "'?");
  }
  std::string canonical;
  for (const std::string& name : known) {
    if (std::find(words.begin(), words.end(), name) != words.end())
      canonical += (canonical.empty() ? "" : ",") + name;
  }
  return canonical;
}

Augmentation augmentation(const std::string& policy) {
  if (policy == "none") return nullptr;
  Policies made{.text = canonical_policy("augmentation", policy), .in_turn = {}};
  for (const std::string& word : words_of(made.text)) {
    for (const Policy& each : kPolicies) {
      if (word == each.name) made.in_turn.push_back(each);
    }
  }
  return made;
}

Tensor augmented(const Augmentation& augmentation, const Tensor& images, Generator& random, const Tensor& p) {
  const auto* own = augmentation.target<Policies>();
  if (own && p.defined()) {
    Tensor x = images;
    for (const Policy& policy : own->in_turn) x = chosen(policy.of(x, random), x, random, p);
    return x;
  }
  const Tensor changed = augmentation(images, random);
  DUEL_CHECK(changed.defined() && changed.shape() == images.shape() && changed.dtype() == images.dtype(),
             "trainer", "the augmentation gave {}, expected samples like those it was given, {}",
             changed.defined() ? to_text(changed) : "nothing", to_text(images));
  return p.defined() ? chosen(changed, images, random, p) : changed;
}

std::string policy_of(const Augmentation& augmentation) {
  if (!augmentation) return "none";
  const auto* own = augmentation.target<Policies>();
  return own ? own->text : "";
}

}  // namespace duel::gan
