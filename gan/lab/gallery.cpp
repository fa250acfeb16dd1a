#include "duel/gan/lab/gallery.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "duel/core/io/atomic_file.h"
#include "duel/core/io/internal/json.h"
#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/judge/classifier.h"
#include "duel/gan/lab/internal/gallery_rows.h"
#include "duel/gan/lab/internal/shared_runs.h"
#include "duel/gan/picture/canvas.h"
#include "duel/gan/picture/png.h"
#include "duel/gan/run/internal/run_setup.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/base/settings.h"

namespace duel::gan::lab {
namespace {

using SortedJson = nlohmann::json;  // keys by name

constexpr int64_t kColumns = 8;
constexpr double kSure = 0.9;

std::string percent(double share) {
  return std::to_string(static_cast<int>(std::lround(share * 100))) + " %";
}

constexpr int64_t kJudgeEpochs = 4;

/// What rows train on, what the judge learns from, and real images that it never sees; labels are numbers of
/// classes.
struct GalleryData {
  ImageSet training, learned, held_out;
  std::vector<int64_t> names;
};

/// Held out are the first images of the data's test set, or, where it has none, the last ones of the training
/// set.
GalleryData gallery_data(const GalleryRequest& request) {
  detail::RunSetup setup;
  setup.config = request.config;
  detail::find_data(setup, setup.config);
  detail::refuse_stacked(setup, "gallery");
  detail::draw_data(setup);
  const std::vector<int64_t> names = class_names(setup.images);
  DUEL_CHECK(!names.empty(), "gallery",
             "the judge learns the class of every image, but those of {} have no labels; put the file of "
             "labels beside them",
             setup.images.source);
  number_labels(setup.images, names);
  setup.config.networks.classes = static_cast<int64_t>(names.size());
  setup.config.class_names = names;
  ImageSet held_out = detail::held_out_images(setup, request.judged);
  int64_t learned = setup.images.count;
  if (held_out.count == 0) {
    DUEL_CHECK(learned >= 2, "gallery", "expected at least two images, got {}", learned);
    learned -= std::clamp<int64_t>(learned / 5, 1, request.judged);
    held_out = part_of(setup.images, learned, setup.images.count);
  }
  ImageSet part = part_of(setup.images, 0, learned);
  return {std::move(setup.images), std::move(part), std::move(held_out), names};
}

/// What a count of classes is of.
std::string word_for(const std::vector<int64_t>& names) {
  return names == counted_names(10) ? "digits" : "classes";
}

/// What the judge depends on, as far as the request says; the images themselves are compared once they are
/// read.
std::string judge_fingerprint(const GalleryRequest& request) {
  return SortedJson{{"data", request.config.data},
                    {"synthetic_count", request.config.synthetic_count},
                    {"judged", request.judged},
                    {"epochs", kJudgeEpochs},
                    {"real", "held out"}}
      .dump();
}

/// What the classifier, in evaluation mode, reads in samples [N, 1, 28, 28].
GalleryCell judged(Classifier& judge, const Tensor& samples, int64_t step) {
  NoGrad no_grad;
  const std::vector<double> p = softmax(judge(samples)).to_vector<double>();
  const int64_t n = samples.dim(0);
  int64_t sure = 0;
  const int64_t classes = judge.classes();
  std::vector<int64_t> counts(static_cast<size_t>(classes));
  for (int64_t i = 0; i < n; ++i) {
    const auto begin = p.begin() + i * classes;
    const auto best = std::max_element(begin, begin + classes);
    if (!(*best >= kSure)) continue;
    ++sure;
    ++counts[static_cast<size_t>(best - begin)];
  }
  const int64_t enough = std::max<int64_t>(1, n / 100);
  return {step, static_cast<double>(sure) / static_cast<double>(n),
          std::count_if(counts.begin(), counts.end(), [&](int64_t c) { return c >= enough; })};
}

/// The classifier and what it makes of real images that it did not learn from.
struct GalleryJudge {
  Classifier net;
  double real_confident = 0;  // share of them of which it is sure
};

std::filesystem::path judge_file(const GalleryRequest& request) { return request.out / "judge.safetensors"; }

std::optional<TensorFile> stored_judge(const GalleryRequest& request) {
  if (!std::filesystem::exists(judge_file(request))) return std::nullopt;
  TensorFile stored = read_safetensors(judge_file(request));
  return stored.text("request") == judge_fingerprint(request) ? std::optional(std::move(stored))
                                                              : std::nullopt;
}

double real_confident_of(const TensorFile& stored) {
  return parsed<double>("gallery", "judge.safetensors: real_confident", stored.text("real_confident"));
}

/// The stored one if it learned from these images; else a new one, which is stored.
GalleryJudge make_judge(const GalleryRequest& request, const std::optional<TensorFile>& stored,
                        const GalleryData& data, LabObserver& observer) {
  const std::string set = message("{} images: {}", data.learned.count, data.learned.source);
  if (stored && stored->text("set") == set) {
    GalleryJudge judge{load_classifier(judge_file(request)), real_confident_of(*stored)};
    judge.net.eval();
    return judge;
  }
  observer.said(message("training the judge on {}", data.learned.source));
  ClassifierOptions options{.epochs = kJudgeEpochs, .classes = static_cast<int64_t>(data.names.size())};
  options.on_epoch = [&](Classifier&, const ClassifierEpoch& e) {
    observer.said(message("judge: epoch {} of {}, reads {} of them, {} s", e.epoch, kJudgeEpochs,
                          percent(e.accuracy), std::lround(e.seconds)));
  };
  GalleryJudge judge{train_classifier(ResidentData(data.learned), options)};
  judge.net.eval();
  const ResidentData real(data.held_out);
  judge.real_confident = judged(judge.net, real.batch(real.first(real.count()), DType::f32), 0).confident;
  write_safetensors(judge_file(request),
                    {.tensors = judge.net.state_dict(),
                     .metadata = {{"request", judge_fingerprint(request)},
                                  {"set", set},
                                  {"classes", class_names_text(data.names)},
                                  {"real_confident", SortedJson(judge.real_confident).dump()}}});
  return judge;
}

/// Nothing where `keep_going`, asked after every step, said no.
std::optional<FinishedRow> train_row(const GalleryRequest& request, const std::string& objective,
                                     const std::shared_ptr<const ResidentData>& data, Classifier& classifier,
                                     const std::function<bool()>& keep_going) {
  const auto start = std::chrono::steady_clock::now();
  detail::RunSetup setup;
  setup.config = request.config;
  setup.config.objective = objective;
  setup.config.overrides = resolved_overrides(objective, request.config.overrides);
  const bool conditional = is_conditional(named_objective(objective, setup.config.overrides).critic);
  setup.config.networks.classes = conditional ? classifier.classes() : 0;
  detail::make_parts(setup);
  Trainer trainer(setup.networks, setup.objective, data,
                  {.batch = setup.config.batch, .seed = setup.config.seed});
  LatentGenerators random =
      sampling_generators(setup.config.seed, static_cast<uint64_t>(RandomStream::samples));
  const Tensor z = draw_latents(setup.networks.latent, std::max(request.judged, request.shown), random).input;
  GalleryRow row{.objective = objective, .failure = "", .seconds = 0, .cells = {}};
  std::vector<uint8_t> pixels;
  Picture strip;
  for (const int64_t step : request.steps) {
    while (trainer.iteration() < step && row.failure.empty()) {
      trainer.step();
      const Metrics m = trainer.metrics();
      if (!std::isfinite(m.loss_d) || !std::isfinite(m.loss_g))
        row.failure = message("not finite at step {}", trainer.iteration());
      if (!keep_going()) return std::nullopt;
    }
    const Tensor samples = trainer.sample(z);
    strip = image_grid(rows(samples, 0, request.shown), kColumns);
    pixels.insert(pixels.end(), strip.pixels.begin(), strip.pixels.end());
    row.cells.push_back(judged(classifier, samples, step));
  }
  row.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return FinishedRow{
      row, Tensor::from(pixels, {static_cast<int64_t>(request.steps.size()), strip.height, strip.width})};
}

void draw_gallery(const GalleryRequest& request, const std::vector<FinishedRow>& rows) {
  constexpr int64_t kLabel = 120, kHeader = 24, kGap = 6;
  const int64_t h = rows.front().strips.dim(1), w = rows.front().strips.dim(2);
  const auto count = static_cast<int64_t>(request.steps.size());
  Canvas canvas(kLabel + count * (w + kGap), kHeader + static_cast<int64_t>(rows.size()) * (h + kGap));
  for (int64_t k = 0; k < count; ++k) {
    canvas.text(kLabel + k * (w + kGap), 8, "step " + std::to_string(request.steps[static_cast<size_t>(k)]),
                {0, 0, 0});
  }
  for (size_t r = 0; r < rows.size(); ++r) {
    const int64_t top = kHeader + static_cast<int64_t>(r) * (h + kGap);
    canvas.text(6, top + 4, rows[r].row.objective, {0, 0, 0});
    if (!rows[r].row.failure.empty()) canvas.text(6, top + 16, rows[r].row.failure, {0, 0, 0});
    const uint8_t* pixels = rows[r].strips.data<uint8_t>();
    for (int64_t k = 0; k < count; ++k) {
      for (int64_t y = 0; y < h; ++y) {
        for (int64_t x = 0; x < w; ++x) {
          const uint8_t v = pixels[(k * h + y) * w + x];
          canvas.blend(kLabel + k * (w + kGap) + x, top + y, {v, v, v});
        }
      }
    }
  }
  std::vector<uint8_t> gray;  // a third of the bytes
  for (size_t i = 0; i < canvas.pixels().size(); i += 3) gray.push_back(canvas.pixels()[i]);
  write_png_gray(request.out / "gallery.png", canvas.width(), canvas.height(), gray);
}

void write_tables(const GalleryRequest& request, const std::vector<FinishedRow>& rows, double real_confident,
                  const std::string& word) {
  SortedJson all = SortedJson::array();
  std::string text = "| objective |";
  for (const int64_t step : request.steps) text += message(" step {} |", step);
  text += "\n|---|" + [&] {
    std::string dashes;
    for (size_t k = 0; k < request.steps.size(); ++k) dashes += "---|";
    return dashes;
  }() + "\n";
  for (const FinishedRow& f : rows) {
    all.push_back(SortedJson(to_json(f.row)));
    text += "| " + f.row.objective + " |";
    for (const GalleryCell& c : f.row.cells)
      text += message(" {}, {} {} |", percent(c.confident), c.classes, word);
    text += "\n";
  }
  text += message("| real {}, held out | {} |\n", word, percent(real_confident));
  write_file_atomically(request.out / "gallery.md", text);
  const SortedJson whole{{"batch", request.config.batch},
                         {"seed", request.config.seed},
                         {"architecture", request.config.networks.arch},
                         {"channels_g", request.config.networks.channels_g},
                         {"channels_d", request.config.networks.channels_d},
                         {"judged", request.judged},
                         {"real_confident", real_confident},
                         {"rows", all}};
  write_file_atomically(request.out / "gallery.json", whole.dump(1) + "\n");
}

std::vector<FinishedRow> finished_rows(const GalleryRequest& request) {
  std::vector<FinishedRow> rows;
  for (const std::string& name : request.objectives) {
    (void)named_objective(name);  // an unknown one is told before anything is trained
    if (std::optional<FinishedRow> row = load_row(request, name)) rows.push_back(std::move(*row));
  }
  return rows;
}

}  // namespace

GalleryOutcome make_gallery(const GalleryRequest& given, LabObserver& observer) {
  GalleryRequest request = given;
  DUEL_CHECK(!request.steps.empty() && request.steps.front() >= 0 &&
                 std::is_sorted(request.steps.begin(), request.steps.end()),
             "gallery", "steps: expected rising numbers of at least 0");
  DUEL_CHECK(request.shown >= 1 && request.judged >= 1, "gallery",
             "expected at least one sample to show and to judge");
  if (request.objectives.empty()) request.objectives = objective_names();
  std::filesystem::create_directories(request.out);
  std::vector<FinishedRow> rows = finished_rows(request);
  const size_t count = request.objectives.size();

  GalleryOutcome outcome;
  const std::optional<TensorFile> stored = stored_judge(request);
  double real_confident = 0;
  std::string word;
  if (stored && rows.size() == count) {
    real_confident = real_confident_of(*stored);
    word = word_for(parse_class_names(stored->text("classes")));
  } else {
    const GalleryData images = gallery_data(request);
    GalleryRequest sized = request;
    sized.config.networks.height = images.training.height;
    sized.config.networks.width = images.training.width;
    const auto data = std::make_shared<const ResidentData>(images.training);
    GalleryJudge judge = make_judge(request, stored, images, observer);
    word = word_for(images.names);
    real_confident = judge.real_confident;
    observer.started(std::ssize(request.objectives) - std::ssize(rows), std::ssize(rows));
    std::vector<SharedRun> missing;
    for (const std::string& name : request.objectives) {
      if (std::any_of(rows.begin(), rows.end(), [&](const auto& r) { return r.row.objective == name; }))
        continue;
      missing.push_back({name, name, [&, name](const std::function<bool()>& keep_going) {
                           const auto made = train_row(sized, name, data, judge.net, keep_going);
                           if (!made) return false;
                           save_row(request, *made);
                           const auto& [objective, failure, seconds, cells] = made->row;
                           observer.finished(
                               name,
                               message("{} sure, {} {}{}", percent(cells.back().confident),
                                       cells.back().classes, word, failure.empty() ? "" : "; " + failure),
                               seconds, request.steps.back());
                           return true;
                         }});
    }
    outcome.held = train_shared(ResultStore("gallery", request.out), missing, observer);
    rows = finished_rows(request);
  }
  // What another process finishes while files are written comes into the next ones.
  for (size_t written = 0; written != rows.size(); rows = finished_rows(request)) {
    written = rows.size();
    draw_gallery(request, rows);
    write_tables(request, rows, real_confident, word);
  }
  for (const FinishedRow& row : rows) outcome.rows.push_back(row.row);
  outcome.complete = rows.size() == count;
  return outcome;
}

}  // namespace duel::gan::lab
