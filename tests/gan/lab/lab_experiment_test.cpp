// The mode-collapse experiment: its protocol, its bits, its folder. Networks here are small; the published
// ones are only looked at.
#include "duel/gan/lab/experiment.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "duel/gan/lab/internal/pictures.h"
#include "duel/gan/lab/internal/records.h"
#include "duel/gan/lab/internal/result_store.h"
#include "duel/gan/lab/lab.h"
#include "duel/gan/lab/table.h"
#include "duel/kernels/base/parallel.h"
#include "tests/gan/files.h"

namespace duel::gan::lab {
namespace {

using duel::testing::Scratch;
using duel::testing::text_of;

PointSettings small(int64_t steps = 24) {
  return {.steps = steps,
          .batch = 16,
          .training_points = 500,
          .measured_points = 60,
          .evaluations = 6,
          .networks = {.width_g = 16, .width_d = 12, .layers_g = 2, .layers_d = 2, .pieces = 3}};
}

class Watcher : public LabObserver {
 public:
  explicit Watcher(int64_t stop_after = 1000000) : stop_after_(stop_after) {}
  void started(int64_t training, int64_t there) override { to_train = training, found = there; }
  void stepped() override { ++steps; }
  void finished(const std::string& run, const std::string&, double, int64_t) override {
    const std::scoped_lock lock(mutex_);
    names.push_back(run);
    ++done_;
    if (at_finish) at_finish();
  }
  void taken(const std::string& run, const std::string& by) override {
    const std::scoped_lock lock(mutex_);
    others.push_back(run + ": " + by);
  }
  bool stop() override { return done_ >= stop_after_; }

  int64_t to_train = -1, found = -1;
  std::atomic<int64_t> steps{0};
  std::vector<std::string> names, others;
  std::function<void()> at_finish;

 private:
  std::mutex mutex_;
  int64_t stop_after_;
  std::atomic<int64_t> done_{0};
};

TEST(PointNetworks, AreThePublishedOnes) {
  Generator random(1);
  const auto g = make_point_generator({}, random), d = make_point_critic({.packing = 2}, random);
  // G: 4 layers of 400 with weight, bias and batch norm's two; D: 3 layers of 5 x 200 on 4 numbers.
  EXPECT_EQ(g->parameter_count(), (2 * 400 + 400 + 800) + 3 * (400 * 400 + 400 + 800) + 400 * 2 + 2);
  EXPECT_EQ(d->parameter_count(), (4 * 1000 + 1000) + 2 * (200 * 1000 + 1000) + 201);
  EXPECT_FALSE(d->mixes_samples());
  EXPECT_TRUE(d->second_derivative_zero());
  double squares = 0;
  int64_t count = 0;
  for (const auto& [name, tensor] : d->named_parameters()) {
    for (const float v : tensor.to_vector<float>()) {
      if (name.ends_with("bias")) {
        EXPECT_EQ(v, 0) << name;
      } else {
        squares += double{v} * v, ++count;
      }
    }
  }
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(count)), 0.02, 0.0005);
  EXPECT_EQ((*g)(Tensor::ones({3, 2})).shape(), (Shape{3, 2}));
  EXPECT_EQ((*d)(Tensor::ones({3, 4})).shape(), (Shape{3, 1}));
}

// SpectralNorm draws its first vectors from the thread's generator: not here.
TEST(PointNetworks, DependOnTheirGeneratorAlone) {
  const auto values = [](uint64_t ambient) {
    manual_seed(ambient);
    Generator random(5, 2);
    const auto d = make_point_critic({.width_d = 8, .spectral_norm = true}, random);
    std::vector<float> all;
    for (const auto& [name, tensor] : d->state_dict()) {
      for (const float v : tensor.to_vector<float>()) all.push_back(v);
    }
    EXPECT_EQ(default_generator().state(), Generator(ambient).state());
    return all;
  };
  EXPECT_EQ(values(1), values(2));
}

TEST(PointObjectives, KeepWhatIsTheirsAndTakeTheProtocol) {
  const Objective own = named_objective("wgan"), wgan = point_objective("wgan", {}),
                  ns_gan = point_objective("ns-gan", {});
  for (const OptimizerChoice& o : {ns_gan.schedule.d, ns_gan.schedule.g}) {
    EXPECT_EQ(o.kind, OptimizerKind::adam);
    EXPECT_EQ(o.lr, 1e-4);
    EXPECT_EQ(o.beta1, 0.8);
  }
  // momentum is what the WGAN paper warns of
  for (const OptimizerChoice& o : {wgan.schedule.d, wgan.schedule.g}) {
    EXPECT_EQ(o.kind, OptimizerKind::rmsprop);
    EXPECT_EQ(o.lr, 5e-5);
  }
  EXPECT_EQ(wgan.schedule.update, Update::simultaneous);
  EXPECT_EQ(wgan.schedule.critic_steps, own.schedule.critic_steps);
  EXPECT_EQ(wgan.constraint.weight_clip, own.constraint.weight_clip);
  const Objective kept = point_objective("wgan", {.own_schedule = true});
  EXPECT_EQ(kept.schedule.d.kind, own.schedule.d.kind);
  EXPECT_EQ(kept.schedule.update, own.schedule.update);
  EXPECT_EQ(point_objective("sngan", {}).schedule.lr_decay_steps,
            0);  // the protocol's rates stay as they are
  EXPECT_EQ(point_objective("unrolled", {}).schedule.update, Update::alternating);
  EXPECT_THROW(point_objective("no-such-gan", {}), Error);
}

// 0.1 as in the WGAN-GP authors' gan_toy.py, where a penalty aims at a norm; others keep their own weight.
TEST(PointObjectives, PenaltiesWeighWhatTheyWeighOnPoints) {
  for (const char* name : {"wgan-gp", "wgan-lp", "dragan", "dragan-two-sided"}) {
    EXPECT_EQ(named_objective(name).penalties.at(0).weight, 10) << name;
    EXPECT_EQ(point_objective(name, {}).penalties.at(0).weight, 0.1) << name;
    EXPECT_EQ(point_objective(name, {.own_schedule = true}).penalties.at(0).weight, 0.1) << name;
    EXPECT_EQ(point_objective(name, {.lambda = 3.0}).penalties.at(0).weight, 3) << name;
  }
  for (const char* name : {"r1", "r3gan", "lgan", "wgan-div"}) {
    for (size_t i = 0; i < named_objective(name).penalties.size(); ++i) {
      EXPECT_EQ(point_objective(name, {}).penalties.at(i).weight,
                named_objective(name).penalties.at(i).weight)
          << name;
      EXPECT_EQ(point_objective(name, {.lambda = 3.0}).penalties.at(i).weight, 3) << name;
    }
  }
  EXPECT_NE(
      duel::testing::error_of([] { point_objective("ns-gan", {.lambda = 3.0}); }).find("no gradient penalty"),
      std::string::npos);
}

TEST(PointObjectives, EveryOneTrains) {
  const Mixture grid = make_mixture("grid");
  for (const std::string& name : objective_names()) {
    const auto run = train_on_points(grid, name, 1, small(3));
    ASSERT_TRUE(run) << name;
    EXPECT_FALSE(run->diverged) << name;
    const auto points = run->snapshots.to_vector<float>();
    EXPECT_NE(points.front(), points.at(points.size() - 120)) << name;
  }
}

// The label of a point is its mode: a conditional G that trains puts what it draws for a mode nearer to it
// than to the rest.
TEST(PointObjectives, LabelsAreTheModes) {
  const Mixture ring = make_mixture("ring");
  Generator random(4);
  const Mixture::Draw drawn = ring.draw(200, random);
  const auto points = drawn.points.to_vector<float>();
  const auto modes = drawn.modes.to_vector<int64_t>();
  for (size_t i = 0; i < modes.size(); ++i) {
    const auto& mean = ring.means.at(static_cast<size_t>(modes[i]));
    EXPECT_LT(std::hypot(points[2 * i] - mean[0], points[2 * i + 1] - mean[1]), 0.06) << i;
  }
  Generator again(4);
  EXPECT_EQ(ring.sample(200, again).to_vector<float>(), points);
  PointSettings settings = small(1);
  settings.training_points = 200;
  EXPECT_TRUE(training_points(ring, settings)->has_labels());
}

TEST(PointNetworks, CriticsAskedForMoreStandAroundTheSameFeatures) {
  Generator random(1);
  const Tensor x = random.normal({5, 2}), labels = Tensor::from(std::vector<int64_t>{0, 7, 3, 1, 7}, {5});
  const auto said = [&](PointNetworkOptions options) {
    options.width_d = 6;
    return judge(*make_point_critic(options, random), x, labels);
  };
  for (const CriticKind kind : {CriticKind::label_input, CriticKind::projection, CriticKind::class_head}) {
    const Judgement j = said({.critic = kind, .classes = 8});
    EXPECT_EQ(j.logits.shape(), (Shape{5, 1}));
    EXPECT_EQ(j.features.shape(), (Shape{5, 6}));
    EXPECT_EQ(j.classes.defined(), kind == CriticKind::class_head);
  }
  const Codes codes{.categorical = {8}, .continuous = 2};
  EXPECT_EQ(said({.critic = CriticKind::code_head, .codes = codes}).codes.shape(), (Shape{5, 10}));
  for (const CriticKind kind : {CriticKind::squared_error, CriticKind::absolute_error}) {
    const auto energies = said({.critic = kind}).logits.to_vector<float>();
    for (const float e : energies) EXPECT_GT(e, 0);
  }
  const PointNetworkOptions told{.critic = CriticKind::label_input, .classes = 8};
  EXPECT_EQ((*make_point_generator(told, random))(Tensor::ones({3, 2 + 8})).shape(), (Shape{3, 2}));
  EXPECT_THROW(make_point_critic({.classes = 8}, random), Error);
  EXPECT_THROW(make_point_critic({.critic = CriticKind::code_head}, random), Error);
}

TEST(PointRuns, AreMeasuredAsTheyGo) {
  const Mixture ring = make_mixture("ring");
  int64_t last = 0;
  const auto run = train_on_points(ring, "ns-gan", 3, small(26), [&](int64_t step) {
    EXPECT_EQ(step, last + 1);
    last = step;
    return true;
  });
  ASSERT_TRUE(run);
  EXPECT_EQ(last, 26);
  std::vector<int64_t> steps;
  for (const Moment& m : run->history) steps.push_back(m.step);
  EXPECT_EQ(steps, (std::vector<int64_t>{0, 4, 8, 13, 17, 21, 26}));
  EXPECT_EQ(run->snapshot_steps, (std::vector<int64_t>{0, 4, 8, 13, 26}));
  EXPECT_EQ(run->snapshots.shape(), (Shape{5, 60, 2}));
  // The last points kept are those that the score is of.
  const auto all = run->snapshots.to_vector<float>();
  const std::vector<float> end(all.end() - 120, all.end());
  const ModeScore again = score_modes(ring, Tensor::from(end, {60, 2}));
  EXPECT_EQ(again.good, run->score.good);
  EXPECT_EQ(run->history.back().high_quality, run->score.high_quality);

  EXPECT_FALSE(train_on_points(ring, "ns-gan", 3, small(26), [](int64_t step) { return step < 7; }));
  EXPECT_THROW(train_on_points(ring, "ns-gan", 3, small(0)), Error);
}

// Training moves points to where the data is: a loop that never steps G would leave them at 0.
TEST(PointRuns, LearnWhereTheDataIs) {
  PointSettings settings = small(400);
  settings.lr = 2e-3;
  const auto run = train_on_points(make_mixture("ring"), "ns-gan", 1, settings);
  ASSERT_TRUE(run && !run->diverged);
  const auto all = run->snapshots.to_vector<float>();
  const auto mean_radius = [&](size_t begin) {
    double total = 0;
    for (size_t i = begin; i < begin + 120; i += 2) total += std::hypot(all[i], all[i + 1]);
    return total / 60;
  };
  EXPECT_LT(mean_radius(0), 0.2);
  EXPECT_GT(mean_radius(all.size() - 120), 0.5);
  EXPECT_LT(mean_radius(all.size() - 120), 2.0);
}

TEST(PointRuns, DivergenceEndsARunAndCountsAsNothingFound) {
  PointSettings settings = small();
  settings.lr = 1e38;
  const auto run = train_on_points(make_mixture("grid"), "ns-gan", 1, settings);
  ASSERT_TRUE(run && run->diverged);
  EXPECT_EQ(*run->diverged, 4);  // the first evaluation
  EXPECT_EQ(run->history.size(), 2U);
  EXPECT_EQ(run->score.modes, 0);
  EXPECT_EQ(run->score.reverse_kl, std::log(25.0));
  EXPECT_EQ(make_table(make_mixture("grid"), settings, {*run}).rows.at(0).diverged, 1);
  EXPECT_GT(samples_over_time(make_mixture("grid"), *run).width(), 500);
}

TEST(Lab, ARunHasTheSameBitsAloneAndBesideOthers) {
  Scratch scratch;
  const int threads = kernels::threads();
  const LabPlan plan{.mixture = make_mixture("ring"),
                     .objectives = {"ns-gan", "wgan-gp"},
                     .seeds = {1, 2, 3},
                     .settings = small(),
                     .directory = scratch / "four"};
  kernels::set_threads(4);
  Watcher watcher;
  const LabOutcome outcome = run_lab(plan, watcher);
  EXPECT_TRUE(outcome.complete);
  EXPECT_EQ(outcome.runs.size(), 6U);
  EXPECT_EQ(watcher.steps, 6 * 24);
  for (const int count : {1, 4}) {
    kernels::set_threads(count);
    const auto alone = train_on_points(plan.mixture, "wgan-gp", 2, plan.settings);
    const auto beside = load_run(plan.directory, plan.mixture, "wgan-gp", 2, plan.settings);
    ASSERT_TRUE(alone && beside);
    EXPECT_EQ(alone->snapshots.to_vector<float>(), beside->snapshots.to_vector<float>()) << count;
  }
  kernels::set_threads(threads);
  EXPECT_NE(outcome.runs[0].snapshots.to_vector<float>(), outcome.runs[1].snapshots.to_vector<float>());
}

TEST(Lab, WhatWasFinishedIsKeptAndNotTrainedAgain) {
  Scratch scratch;
  LabPlan plan{.mixture = make_mixture("ring"),
               .objectives = {"hinge", "ns-gan"},
               .seeds = {1, 2},
               .settings = small(),
               .directory = scratch / "a"};
  const int threads = kernels::threads();
  kernels::set_threads(1);
  Watcher first(2);
  const LabOutcome stopped = run_lab(plan, first);
  kernels::set_threads(threads);
  EXPECT_FALSE(stopped.complete);
  EXPECT_EQ(first.names,
            (std::vector<std::string>{"hinge seed 1", "ns-gan seed 1"}));  // one seed of each before the next
  EXPECT_NE(text_of(scratch / "a" / "results.md").find("| hinge | 1 |"), std::string::npos);

  const std::string before = text_of(scratch / "a" / "runs" / "hinge-1.json");
  Watcher second;
  const LabOutcome whole = run_lab(plan, second);
  EXPECT_TRUE(whole.complete);
  EXPECT_EQ(second.to_train, 2);
  EXPECT_EQ(second.found, 2);
  EXPECT_EQ(whole.runs.size(), 4U);
  EXPECT_EQ(text_of(scratch / "a" / "runs" / "hinge-1.json"), before);

  // The same points as a run that was never stopped.
  Scratch other;
  plan.directory = other / "b";
  Watcher third;
  run_lab(plan, third);
  for (const char* name : {"hinge-1", "hinge-2", "ns-gan-1", "ns-gan-2"}) {
    const std::string file = std::string(name) + ".safetensors";
    EXPECT_EQ(text_of(scratch / "a" / "runs" / file), text_of(other / "b" / "runs" / file)) << name;
    EXPECT_TRUE(std::filesystem::exists(other / "b" / "runs" / (std::string(name) + ".png")));
  }
  for (const char* name : {"results.json", "results.md", "samples.png", "final.png", "scores.png"}) {
    EXPECT_TRUE(std::filesystem::exists(other / "b" / name)) << name;
  }
}

TEST(Lab, RunsOfAnotherProcessAreLeftToIt) {
  Scratch scratch;
  const LabPlan plan{.mixture = make_mixture("ring"),
                     .objectives = {"hinge", "ns-gan"},
                     .seeds = {1},
                     .settings = small(4),
                     .directory = scratch / "a"};
  const ResultStore store("lab", plan.directory);
  std::string holder;
  std::optional<Claim> other = store.claim("ns-gan-1", holder);
  Watcher first;
  const LabOutcome part = run_lab(plan, first);
  EXPECT_FALSE(part.complete);
  EXPECT_EQ(first.names, (std::vector<std::string>{"hinge seed 1"}));
  ASSERT_EQ(first.others.size(), 1U) << "said once";
  EXPECT_TRUE(first.others[0].starts_with("ns-gan seed 1: ")) << first.others[0];
  ASSERT_EQ(part.held.size(), 1U);
  EXPECT_TRUE(part.held[0].starts_with("ns-gan seed 1 (")) << part.held[0];
  EXPECT_TRUE(part.held[0].ends_with(message(", process {})", ::getpid()))) << part.held[0];
  EXPECT_EQ(part.runs.size(), 1U);

  // What another had and gave up is trained in the end.
  std::filesystem::remove(store.file("hinge-1"));
  Watcher second;
  second.at_finish = [&] { other.reset(); };
  const LabOutcome whole = run_lab(plan, second);
  EXPECT_TRUE(whole.complete);
  EXPECT_TRUE(whole.held.empty());
  EXPECT_EQ(second.names, (std::vector<std::string>{"hinge seed 1", "ns-gan seed 1"}));
  EXPECT_EQ(whole.runs.size(), 2U);
}

TEST(Lab, OtherSettingsAndDamagedRecordsAreRefusedBeforeTraining) {
  Scratch scratch;
  LabPlan plan{.mixture = make_mixture("ring"),
               .objectives = {"ns-gan"},
               .seeds = {1},
               .settings = small(4),
               .directory = scratch / "a"};
  Watcher watcher;
  run_lab(plan, watcher);
  const auto error = [&](const LabPlan& changed) {
    Watcher other;
    try {
      run_lab(changed, other);
    } catch (const Error& e) {
      EXPECT_EQ(other.steps, 0);
      return std::string(e.what());
    }
    return std::string();
  };
  LabPlan longer = plan;
  longer.settings.steps = 5;
  longer.objectives = {"hinge"};  // the record of another objective is in the way too
  EXPECT_NE(error(longer).find("steps: this run has 4, asked for is 5; choose another --out"),
            std::string::npos)
      << error(longer);
  LabPlan grid = plan;
  grid.mixture = make_mixture("grid");
  EXPECT_NE(error(grid).find("holds runs on ring, not on grid"), std::string::npos);
  LabPlan unknown = plan;
  unknown.objectives = {"ns-gan", "ns-gam"};
  EXPECT_NE(error(unknown).find("ns-gam"), std::string::npos);
  std::ofstream(scratch / "a" / "runs" / "ns-gan-1.json") << "{\"mixture\": 3";
  EXPECT_NE(error(plan).find("delete it to train that run again"), std::string::npos);
}

TEST(Records, ComeBackWhole) {
  Scratch scratch;
  const Mixture ring = make_mixture("ring");
  const auto run = train_on_points(ring, "ns-gan", 7, small());
  save_run(scratch / "x", *run);
  const auto back = load_run(scratch / "x", ring, "ns-gan", 7, small());
  ASSERT_TRUE(back);
  EXPECT_EQ(to_json(*back), to_json(*run));
  EXPECT_EQ(back->snapshots.to_vector<float>(), run->snapshots.to_vector<float>());
  EXPECT_FALSE(load_run(scratch / "x", ring, "ns-gan", 8, small()));
  std::filesystem::remove(scratch / "x" / "runs" / "ns-gan-7.safetensors");
  EXPECT_THROW(load_run(scratch / "x", ring, "ns-gan", 7, small()), Error);
}

// A folder from before these settings were written down holds runs with the weights of images, and wgan under
// Adam.
TEST(Records, OfOlderExperimentsMixWithTheSameSettingsOnly) {
  Scratch scratch;
  const Mixture ring = make_mixture("ring");
  const auto as_it_was = [&](const std::string& name) {
    save_run(scratch / "x", *train_on_points(ring, name, 1, small(2)));
    const std::filesystem::path file = scratch / "x" / "runs" / (name + "-1.json");
    auto json = nlohmann::ordered_json::parse(text_of(file));
    for (const char* key : {"lambda", "optimizer_d", "optimizer_g"})
      ASSERT_EQ(json.at("settings").erase(key), 1U) << key;
    std::ofstream(file) << json.dump(2);
  };
  const auto said = [&](const std::string& name) {
    return duel::testing::error_of([&] { load_run(scratch / "x", ring, name, 1, small(2)); });
  };
  for (const char* name : {"ns-gan", "r1", "wgan-gp", "wgan"}) as_it_was(name);
  for (const char* name : {"ns-gan", "r1"})
    EXPECT_TRUE(load_run(scratch / "x", ring, name, 1, small(2))) << name;
  EXPECT_NE(said("wgan-gp").find("lambda: this run has 10"), std::string::npos) << said("wgan-gp");
  EXPECT_NE(said("wgan").find(
                "optimizer_d: this run has \"adam 1e-04 (0.8, 0.999)\", asked for is \"rmsprop 5e-05\""),
            std::string::npos)
      << said("wgan");
  PointSettings ten = small(2);
  ten.lambda = 10.0;
  // A penalty's weight says nothing about ns-gan.
  for (const char* name : {"wgan-gp", "ns-gan"})
    EXPECT_TRUE(load_run(scratch / "x", ring, name, 1, ten)) << name;
}

PointRun fake_run(const std::string& name, uint64_t seed, int64_t modes, double quality, double kl) {
  return {.mixture = "ring",
          .objective = name,
          .seed = seed,
          .score = {.modes = modes, .high_quality = quality, .reverse_kl = kl, .good = {}},
          .history = {{0, 0, 0, 2}, {10, modes, quality, kl}},
          .seconds = 2};
}

TEST(Tables, HaveMeansErrorsFloorsAndThePapers) {
  const Mixture ring = make_mixture("ring");
  const std::vector<PointRun> runs{fake_run("ns-gan", 1, 6, 0.9, 0.5), fake_run("ns-gan", 2, 8, 0.8, 0.1),
                                   fake_run("wgan", 1, 8, 0.5, 0.25)};
  const Table table = make_table(ring, {.steps = 20000}, runs);
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_DOUBLE_EQ(table.rows[0].modes.mean, 7);
  EXPECT_DOUBLE_EQ(table.rows[0].modes.error, 1);
  const std::string text = to_text(table), markdown = to_markdown(table);
  EXPECT_NE(text.find("1      ns-gan         2      7.0 ± 1.0    85.0 ± 5.0       0.300 ± 0.200   2"),
            std::string::npos)
      << text;
  EXPECT_NE(markdown.find("| 1 | ns-gan | 2 | 7.0 ± 1.0 | 85.0 ± 5.0 | 0.300 ± 0.200 | 2 |"),
            std::string::npos)
      << markdown;
  EXPECT_NE(markdown.find("| - | wgan | 1 | 8.0 | 50.0 | 0.250 | 2 |"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find("|  | true samples |  | 8.0 | 98.89 | 0.0014 |  |"), std::string::npos) << markdown;
  for (const std::string* t : {&text, &markdown}) {
    // A short run never passes for the published protocol.
    EXPECT_NE(t->find("20,000 steps of batch 100, seeds 1, 2. NOT the published length: PacGAN's protocol "
                      "has 400,000 steps"),
              std::string::npos)
        << *t;
    EXPECT_NE(to_text(make_table(ring, {.steps = 1}, runs)).find(". 1 step of batch 100"), std::string::npos);
    EXPECT_NE(t->find("0.45 ± 0.09"), std::string::npos);
    EXPECT_NE(t->find("VEEGAN"), std::string::npos);
    EXPECT_NE(t->find("weigh 0.1, wgan has its own optimizer."), std::string::npos) << *t;
    EXPECT_NE(to_text(make_table(ring, {.lambda = 2.5}, runs)).find("Gradient penalties weigh 2.5, wgan"),
              std::string::npos);
  }
  EXPECT_NE(to_markdown(make_table(make_mixture("grid"), {}, {}))
                .find("|  | PacGAN4 |  | 24.8 ± 0.2 | 93.6 ± 0.6 | 0.04 ± 0.01 |"),
            std::string::npos);
  // Seeds tell apart what differs by more than they do; what they do not shares ranks.
  std::vector<PointRun> more;
  for (const uint64_t seed : {1, 2, 3}) {
    const double own = 0.1 * static_cast<double>(seed);
    more.push_back(fake_run("lsgan", seed, 8, 0.9, 1 + own));
    more.push_back(fake_run("hinge", seed, 8, 0.9, 0.1 + own + 0.001 * static_cast<double>(seed * seed)));
    more.push_back(fake_run("r1", seed, 8, 0.9, 0.1 + own + (seed == 2 ? 0.1 : 0)));
  }
  std::vector<std::string> ranks;
  for (const TableRow& row : make_table(ring, {}, more).rows) ranks.push_back(rank_text(row.rank));
  EXPECT_EQ(ranks, (std::vector<std::string>{"3", "1-2", "1-2"}));
  const auto json = nlohmann::json::parse(to_json(table, runs));
  EXPECT_EQ(json.at("table").at(0).at("modes").at("standard_error"), 1.0);
  EXPECT_EQ(json.at("runs").size(), 3U);
  EXPECT_TRUE(nlohmann::json::parse(to_json(make_table(ring, {}, {}), {})).at("runs").empty());
  EXPECT_GT(scores_over_time(ring, runs).width(), 1000);
  EXPECT_GT(scores_over_time(ring, {}).width(), 1000);
}

}  // namespace
}  // namespace duel::gan::lab
