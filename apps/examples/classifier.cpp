// classifier: trains a digit classifier on one set of images and reads another with it. Trained on drawn
// digits and tested on MNIST, it measures how real the drawings are:
//
//   build/examples/classifier --train synthetic --count 60000 --test data/mnist
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>

#include "duel/gan/data/class_names.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/data/idx.h"
#include "duel/gan/judge/classifier.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/settings.h"

namespace {

using namespace duel;
using namespace duel::gan;

constexpr const char* kUsage =
    "usage: classifier --train DIR|synthetic --test DIR|synthetic [--count N] [--epochs N] [--batch N] [--lr "
    "X]\n"
    "                  [--seed S] [--threads T] [--save FILE]\n"
    "  DIR holds MNIST's files: its training half is trained on, its test half is tested on.\n"
    "  synthetic: digits drawn here; the test draws 10000 others.\n"
    "  --count: the first N training images (default: all; 60000 of synthetic)\n";

struct Arguments {
  std::string train, test, save;
  int64_t count = 0;  // 0: all
  ClassifierOptions options;
};

int64_t whole(const std::string& flag, const char* text, int64_t least) {
  const auto value = parsed<int64_t>("classifier", flag, text);
  DUEL_CHECK(value >= least && value <= 1'000'000'000, "classifier",
             "{}: expected a whole number from {} to 1000000000, got {}", flag, least, value);
  return value;
}

Arguments parse(int argc, char** argv) {
  Arguments a;
  for (int i = 1; i < argc; i += 2) {
    const std::string flag = argv[i];
    DUEL_CHECK(i + 1 < argc, "classifier", "{}: expected a value after it", flag);
    const char* value = argv[i + 1];
    if (flag == "--train") {
      a.train = value;
    } else if (flag == "--test") {
      a.test = value;
    } else if (flag == "--save") {
      a.save = value;
    } else if (flag == "--count") {
      a.count = whole(flag, value, 1);
    } else if (flag == "--epochs") {
      a.options.epochs = whole(flag, value, 1);
    } else if (flag == "--batch") {
      a.options.batch = whole(flag, value, 1);
    } else if (flag == "--lr") {
      a.options.lr = parsed<double>("classifier", flag, value);
    } else if (flag == "--seed") {
      a.options.seed = parsed<uint64_t>("classifier", flag, value);
    } else if (flag == "--threads") {
      kernels::set_threads(static_cast<int>(whole(flag, value, 1)));
    } else {
      fail("classifier", "unknown flag '{}'; --help lists them", flag);
    }
  }
  DUEL_CHECK(!a.train.empty(), "classifier", "--train: expected a folder or 'synthetic'");
  DUEL_CHECK(!a.test.empty(), "classifier", "--test: expected a folder or 'synthetic'");
  return a;
}

ImageSet training_set(const Arguments& a) {
  if (a.train == "synthetic") return draw_digits(a.count == 0 ? 60000 : a.count, a.options.seed);
  ImageSet set = load_mnist(find_mnist(a.train), Split::train);
  DUEL_CHECK(a.count <= set.count, "classifier", "--count: expected at most the {} images of {}, got {}",
             set.count, a.train, a.count);
  return a.count > 0 ? part_of(set, 0, a.count) : set;
}

ImageSet test_set(const Arguments& a) {
  if (a.test == "synthetic") return draw_digits(10000, a.options.seed + 1);
  return load_mnist(find_mnist(a.test), Split::test);
}

void run(Arguments a) {
  if (!a.save.empty()) {
    // Minutes of training must not end at a folder that does not exist.
    const std::filesystem::path folder = std::filesystem::absolute(a.save).parent_path();
    DUEL_CHECK(std::filesystem::is_directory(folder), "classifier",
               "--save: {} is not a folder; make it first", folder.string());
  }
  ImageSet train_images = training_set(a), test_images = test_set(a);
  const std::vector<int64_t> names = class_names(train_images);
  a.options.classes = static_cast<int64_t>(names.size());
  DUEL_CHECK(!names.empty(), "classifier", "--train: expected images with labels, and those of {} have none",
             train_images.source);
  number_labels(train_images, names);
  number_labels(test_images, names);
  const ResidentData train(train_images), test(test_images);
  std::printf("train: %lld images, %s\ntest:  %lld images, %s\n", static_cast<long long>(train.count()),
              train_images.source.c_str(), static_cast<long long>(test.count()), test_images.source.c_str());
  double accuracy = 0, seconds = 0;
  a.options.on_epoch = [&](Classifier& net, const ClassifierEpoch& epoch) {
    accuracy = evaluate_accuracy(net, test);
    seconds = epoch.seconds;
    std::printf("epoch %lld: loss %.4f, training accuracy %.2f %%, test accuracy %.2f %%, %.1f s\n",
                static_cast<long long>(epoch.epoch), epoch.loss, 100 * epoch.accuracy, 100 * accuracy,
                seconds);
    std::fflush(stdout);
  };
  const Classifier net = train_classifier(train, a.options);
  if (!a.save.empty()) save_classifier(a.save, net);
  std::printf("test accuracy %.2f %% after %.1f s on %d threads\n", 100 * accuracy, seconds,
              kernels::threads());
}

}  // namespace

int main(int argc, char** argv) {
  int status = 0;
  try {
    if (argc > 1 && std::strcmp(argv[1], "--help") != 0)
      run(parse(argc, argv));
    else if (std::fputs(kUsage, stdout); argc == 1)
      status = 2;
  } catch (const Failure& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return status;
  std::fputs("error: stdout: cannot be written\n", stderr);
  return 1;
}
