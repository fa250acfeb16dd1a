// Classes are the labels that occur; their numbers and names go back and forth without loss.
#include "duel/gan/data/class_names.h"

#include <gtest/gtest.h>

#include <memory>

#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/models/models.h"
#include "duel/gan/train/trainer.h"
#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using duel::gan::testing::error_of;
using duel::gan::testing::has;

using Names = std::vector<int64_t>;

ImageSet labelled(std::vector<uint8_t> labels) {
  ImageSet set{.count = static_cast<int64_t>(labels.size()),
               .height = 1,
               .width = 2,
               .images = {},
               .labels = std::move(labels),
               .source = "a set"};
  for (int64_t i = 0; i < 2 * set.count; ++i) set.images.push_back(static_cast<uint8_t>(i));
  return set;
}

TEST(ClassNames, AreTheLabelsThatOccur) {
  EXPECT_EQ(class_names(labelled({7, 255, 3, 7})), (Names{3, 7, 255}));
  EXPECT_EQ(class_names(labelled({})), Names{});
  EXPECT_EQ(class_names(draw_digits(3, 1)), counted_names(10)) << "also of digits that these few do not show";
  const Names names{3, 7, 255};
  EXPECT_EQ(class_number(names, 3), 0);
  EXPECT_EQ(class_number(names, 255), 2);
  for (const int64_t none : {-1, 0, 4, 256}) EXPECT_EQ(class_number(names, none), std::nullopt) << none;
}

TEST(ClassNames, LabelsBecomeNumbers) {
  ImageSet set = labelled({7, 255, 3, 7});
  const std::string text = error_of([&] { number_labels(set, {3, 7}); });
  EXPECT_TRUE(has(text, "a set: label 255 of image 1 is none of the classes 3,7")) << text;
  EXPECT_EQ(set.labels, (std::vector<uint8_t>{7, 255, 3, 7})) << "as before";
  ImageSet kept = set;
  number_labels(set, {3, 7, 255});
  EXPECT_EQ(set.labels, (std::vector<uint8_t>{1, 2, 0, 1}));
  EXPECT_EQ(class_names(set), counted_names(3));

  keep_classes(kept, {3, 7});
  EXPECT_EQ(kept.labels, (std::vector<uint8_t>{7, 3, 7}));
  EXPECT_EQ(kept.images, (std::vector<uint8_t>{0, 1, 4, 5, 6, 7})) << "pixels stay with their labels";
  EXPECT_EQ(kept.count, 3);
}

TEST(ClassNames, AreATextAndBack) {
  for (const auto& [names, text] :
       {std::pair{Names{0}, "0"}, {Names{1, 2, 3}, "1-3"}, {Names{0, 2, 3, 9, 255}, "0,2-3,9,255"}}) {
    EXPECT_EQ(class_names_text(names), text);
    EXPECT_EQ(parse_class_names(text), names);
  }
  for (const char* wrong :
       {"", ",", "1,", "1-", "-1", "3-3", "3-1", "2,1", "1,1", "256", "0-256", "1;2", "a", "1 2", "1-3-5"}) {
    EXPECT_TRUE(has(error_of([&] { parse_class_names(wrong); }), "class-names: expected")) << wrong;
  }
}

// On a GPU a label that is no class would be a row of zeros, silently.
TEST(ClassNames, ATrainerRefusesLabelsThatAreNoClass) {
  const Objective objective = named_objective("acgan");
  Generator random(1);
  const auto networks = [&](int64_t classes) {
    return make_networks(
        networks_for(objective, {.arch = "mlp", .height = 1, .width = 2, .channels_g = 4, .channels_d = 4},
                     classes),
        objective, random);
  };
  const auto data = std::make_shared<const ResidentData>(labelled({7, 1, 3, 7}));
  const std::string text = error_of([&] { Trainer(networks(7), objective, data, {.batch = 2}); });
  EXPECT_TRUE(has(text, "labels: expected 0 to 6 for networks of 7 classes, got 7; number_labels")) << text;
  Trainer(networks(8), objective, data, {.batch = 2}).step();
}

}  // namespace
}  // namespace duel::gan
