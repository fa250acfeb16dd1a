#include "duel/gan/judge/judge.h"

#include <zlib.h>

#include <algorithm>
#include <numeric>

#include "duel/core/io/internal/json.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/core/io/internal/safetensors_memory.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/judge/internal/embedded_judges.h"
#include "duel/gan/judge/internal/judge_network.h"
#include "duel/gan/judge/interval.h"
#include "duel/kernels/base/settings.h"

namespace duel::gan {
namespace {

constexpr const char* kJudge = "judge";
constexpr size_t kMostBytes = size_t{4} << 20;  // four times what a file of this network takes

/// Names and shapes, in the order of the layers.
std::vector<std::pair<std::string, Shape>> layout() {
  std::vector<std::pair<std::string, Shape>> all;
  for (const JudgeLayer& layer : kJudgeLayers) {
    all.emplace_back(message("{}.weight", layer.name),
                     Shape{layer.out, layer.in, layer.kernel, layer.kernel});
    all.emplace_back(message("{}.bias", layer.name), Shape{layer.out});
  }
  all.emplace_back("fc.weight", Shape{Judge::classes, Judge::feature_count});
  all.emplace_back("fc.bias", Shape{Judge::classes});
  return all;
}

const Tensor* find(const nn::StateDict& state, const std::string& name) {
  const auto found = std::find_if(state.begin(), state.end(), [&](const auto& e) { return e.first == name; });
  return found == state.end() ? nullptr : &found->second;
}

/// Copies in the order of the layers; `where` begins every error.
nn::StateDict checked_weights(const nn::StateDict& given, const std::string& where) {
  nn::StateDict kept;
  for (const auto& [name, shape] : layout()) {
    const Tensor* tensor = find(given, name);
    DUEL_CHECK(tensor != nullptr, kJudge, "{}{}: expected {}, got no tensor of that name", where, name,
               shape);
    DUEL_CHECK(tensor->shape() == shape && tensor->dtype() == DType::f32, kJudge,
               "{}{}: expected f32 {}, got {}", where, name, shape, to_text(*tensor));
    const auto bad = first_nonfinite(*tensor);
    DUEL_CHECK(!bad, kJudge, "{}{}: expected finite numbers, got another at element {}", where, name, *bad);
    kept.emplace_back(name, tensor->detach().clone());
  }
  for (const auto& [name, tensor] : given) {
    DUEL_CHECK(find(kept, name), kJudge, "{}expected the weights of '{}' alone, got {} too", where,
               judge_network(), in_quotes(name));
  }
  return kept;
}

/// Of the weights as bytes: the facts may say what they want.
uint32_t checksum(const nn::StateDict& weights) {
  uLong crc = crc32(0, nullptr, 0);
  for (const auto& [name, tensor] : weights) {
    const std::vector<float> values = tensor.to_vector<float>();
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(values.data()), values.size() * sizeof(float));
  }
  return static_cast<uint32_t>(crc);
}

std::string hex(uint32_t value) {
  std::string text(8, '0');
  for (size_t i = 8; i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 15];
  return text;
}

TensorFile embedded_file(const EmbeddedJudge& judge) {
  return safetensors::parse(judge.bytes, message("Duel's own {}", judge.name));
}

/// The name alone where it is that of an own judge with these weights.
std::string judge_name(const nn::StateDict& weights, const std::string& given) {
  const uint32_t sum = checksum(weights);
  for (const EmbeddedJudge& own : embedded_judges()) {
    if (own.name == given && checksum(checked_weights(embedded_file(own).tensors, "")) == sum) return given;
  }
  return given + "-" + hex(sum);
}

void check_name(const std::string& name, const std::string& where) {
  const bool fits = !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
  DUEL_CHECK(fits, kJudge, "{}name: expected 1 to 64 letters, digits and '-', '_', '.', got {}", where,
             in_quotes(name));
}

void check_facts(const JudgeFacts& facts, const std::string& where) {
  check_name(facts.name, where);
  DUEL_CHECK(facts.accuracy >= 0 && facts.accuracy <= 1, kJudge,
             "{}accuracy: expected a share from 0 to 1, got {}", where, facts.accuracy);
  DUEL_CHECK(facts.images >= 1 && facts.epochs >= 1, kJudge,
             "{}expected at least 1 image and 1 epoch, got {} and {}", where, facts.images, facts.epochs);
}

Judge judge_of(const TensorFile& file, const std::string& source) {
  const std::string where = source + ": ", network = file.text("network");
  DUEL_CHECK(!network.empty(), kJudge,
             "{}not a judge: its metadata names no network; duel judge train makes one", where);
  DUEL_CHECK(network == judge_network(), kJudge, "{}network: expected '{}', got {}", where, judge_network(),
             in_quotes(network));
  const auto said = [&](const char* key) {
    const std::string text = file.text(key);
    DUEL_CHECK(!text.empty(), kJudge, "{}its metadata does not say '{}'; the file is incomplete", where, key);
    return text;
  };
  JudgeFacts facts{.name = said("name"),
                   .data = said("data"),
                   .images = parsed<int64_t>(kJudge, where + "images", said("images")),
                   .command = said("command"),
                   .seed = parsed<uint64_t>(kJudge, where + "seed", said("seed")),
                   .epochs = parsed<int64_t>(kJudge, where + "epochs", said("epochs")),
                   .tested_on = said("tested_on"),
                   .accuracy = parsed<double>(kJudge, where + "accuracy", said("accuracy")),
                   .date = said("date")};
  check_facts(facts, where);
  return {checked_weights(file.tensors, where), std::move(facts)};
}

std::string known_names() {
  std::string text;
  for (const std::string& name : judge_names()) text += name + ", ";
  return text;
}

Tensor filled_up(const Tensor& images) {
  const int64_t n = images.dim(0);
  return n == kJudgeBatch ? images : pad(images, 0, 0, kJudgeBatch - n, -1.0);
}

}  // namespace

void check_judge_name(const std::string& name) { check_name(name, ""); }

std::string judge_network() {
  std::string text;
  for (const JudgeLayer& layer : kJudgeLayers) {
    text += message("{} {}x{}x{}", layer.name, layer.out, layer.kernel, layer.kernel) +
            (layer.stride > 1 ? message(" stride {}", layer.stride) : "") + ", relu, ";
  }
  return text + message("mean, fc {}", Judge::classes);
}

Judge::Judge(const nn::StateDict& weights, JudgeFacts facts)
    : weights_(checked_weights(weights, "")), facts_(std::move(facts)) {
  check_facts(facts_, "");
  name_ = judge_name(weights_, facts_.name);
}

int64_t Judge::parameter_count() const {
  return std::accumulate(weights_.begin(), weights_.end(), int64_t{0},
                         [](int64_t sum, const auto& entry) { return sum + entry.second.numel(); });
}

Device Judge::device() const { return weights_.front().second.device(); }

Judge Judge::to(Device device) const {
  Judge moved = *this;
  for (auto& [name, tensor] : moved.weights_) tensor = tensor.to(device);
  return moved;
}

JudgeReading Judge::read(const Tensor& images) const {
  DUEL_CHECK(images.rank() == 4 && images.dim(0) >= 1 && images.dim(1) == 1 && images.dim(2) == side &&
                 images.dim(3) == side && images.dtype() == DType::f32,
             kJudge, "expected images f32 [N, 1, {}, {}], got {}", side, side, to_text(images));
  std::vector<Tensor> features, logits;
  for (int64_t begin = 0; begin < images.dim(0); begin += kJudgeBatch) {
    const int64_t count = std::min(kJudgeBatch, images.dim(0) - begin);
    const bool whole = count == images.dim(0);
    const Tensor part = filled_up(whole ? images : slice(images, 0, begin, begin + count));
    Tensor maps = (clamp(part, -1.0, 1.0) + 1.0) * 0.5;
    size_t at = 0;
    for (const JudgeLayer& layer : kJudgeLayers) {
      const Tensor &weight = weights_[at].second, &bias = weights_[at + 1].second;
      maps = relu(conv2d(maps, weight, bias, {.stride = layer.stride, .padding = layer.padding}));
      at += 2;
    }
    const Tensor f = mean(maps, {2, 3}), l = linear(f, weights_[at].second, weights_[at + 1].second);
    features.push_back(count == kJudgeBatch ? f : slice(f, 0, 0, count));
    logits.push_back(count == kJudgeBatch ? l : slice(l, 0, 0, count));
  }
  if (features.size() == 1) return {features[0], logits[0]};
  return {concat(features), concat(logits)};
}

JudgeReading Judge::read(const ResidentData& data) const {
  const NoGrad no_grad;
  std::vector<Tensor> features, logits;
  for (int64_t done = 0; done < data.count(); done += kJudgeBatch) {
    std::vector<int64_t> next(static_cast<size_t>(std::min(kJudgeBatch, data.count() - done)));
    std::iota(next.begin(), next.end(), done);
    const Tensor index = Tensor::from(next, {static_cast<int64_t>(next.size())}, data.device());
    JudgeReading reading = read(data.batch(index, DType::f32).to(device()));
    features.push_back(std::move(reading.features));
    logits.push_back(std::move(reading.logits));
  }
  return {concat(features), concat(logits)};
}

Tensor Judge::probabilities(const Tensor& images) const { return softmax(logits(images)); }

std::vector<std::string> judge_names() {
  std::vector<std::string> names;
  for (const EmbeddedJudge& judge : embedded_judges()) names.emplace_back(judge.name);
  return names;
}

Judge load_judge(const std::string& name_or_file) {
  for (const EmbeddedJudge& judge : embedded_judges()) {
    if (judge.name == name_or_file)
      return judge_of(embedded_file(judge), message("Duel's own {}", judge.name));
  }
  std::error_code ignored;
  if (!std::filesystem::exists(name_or_file, ignored)) {
    const std::string near = nearest_name(name_or_file, judge_names());
    fail(kJudge, "expected {}or a file of weights, got {}{}", known_names(), in_quotes(name_or_file),
         near.empty() ? "" : message("; did you mean {}?", near));
  }
  const std::string bytes = read_file(kJudge, name_or_file, kMostBytes, "a judge's weights");
  return judge_of(safetensors::parse(bytes, name_or_file), name_or_file);
}

void save_judge(const std::filesystem::path& path, const Judge& judge) {
  const JudgeFacts& f = judge.facts();
  DUEL_CHECK(!f.data.empty() && !f.command.empty() && !f.tested_on.empty() && !f.date.empty(), kJudge,
             "{}: expected facts with data, command, tested_on and date, which load_judge() asks for",
             path.string());
  write_safetensors(path, {.tensors = judge.weights(),
                           .metadata = {{"format", "pt"},
                                        {"name", f.name},
                                        {"network", judge_network()},
                                        {"data", f.data},
                                        {"images", message("{}", f.images)},
                                        {"command", f.command},
                                        {"seed", message("{}", f.seed)},
                                        {"epochs", message("{}", f.epochs)},
                                        {"tested_on", f.tested_on},
                                        {"accuracy", shortest(f.accuracy)},
                                        {"date", f.date}}});
}

void check_judged(const ImageSet& images) {
  DUEL_CHECK(images.channels == 1, kJudge, "{}: expected gray images, got images of {} channels",
             images.source, images.channels);
  DUEL_CHECK(images.height == Judge::side && images.width == Judge::side, kJudge,
             "{}: expected images of {} x {}, got {} x {}", images.source, Judge::side, Judge::side,
             images.height, images.width);
  DUEL_CHECK(images.count >= 1 && std::ssize(images.labels) == images.count, kJudge,
             "{}: expected images with labels, got {} images and {} labels", images.source, images.count,
             images.labels.size());
  const uint8_t greatest = *std::max_element(images.labels.begin(), images.labels.end());
  DUEL_CHECK(greatest < Judge::classes, kJudge, "{}: expected labels from 0 to {}, got {}", images.source,
             Judge::classes - 1, greatest);
}

JudgeScore score_judge(const Judge& judge, const ImageSet& images) {
  check_judged(images);
  const std::vector<int64_t> read = argmax(judge.read(ResidentData(images)).logits).to_vector<int64_t>();
  JudgeScore score{.judge = judge.name(), .data = images.source, .images = images.count};
  for (size_t i = 0; i < read.size(); ++i) score.correct += read[i] == images.labels[i];

  const auto n = static_cast<double>(score.images);
  score.accuracy = static_cast<double>(score.correct) / n;
  const Interval interval = wilson_interval(score.accuracy, n, 1.959964);
  score.low = interval.low;
  score.high = interval.high;
  return score;
}

std::string to_json(const JudgeScore& score) {
  return json::dumped(json::Json{{"judge", score.judge},
                                 {"data", score.data},
                                 {"images", score.images},
                                 {"correct", score.correct},
                                 {"accuracy", score.accuracy},
                                 {"low", score.low},
                                 {"high", score.high}});
}

}  // namespace duel::gan
