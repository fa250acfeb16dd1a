// Does D's value say how good the samples are? Along runs of every objective that has a critic, its value against the
// Frechet distance of a judge.
//
// Note [What theory says of D's value]
// -L_D at the best D is a divergence of data and samples, so it falls as they come together. But data and samples
// lie on sets that hardly meet, where the best D of a loss that is bounded, or of one without a limit on D's slope,
// says the same however near they are: JS is log 2 there and KL infinite (Arjovsky & Bottou 2017, theorems 2.1, 2.2).
// Only the Wasserstein distance, whose critics are of limited slope, goes on falling (Arjovsky et al. 2017, section 2).
// So objectives fall into three kinds: that loss ("falls"); others whose penalty or constraint limits D ("open": their
// papers promise a slope for G, and no value that is read); others ("flat" at the best D). No D here is the best one.
#include <algorithm>
#include <cmath>

#include "duel/gan/lab/founding.h"
#include "duel/gan/lab/founding/over_seeds.h"
#include "duel/gan/lab/founding/rank_correlation.h"
#include "duel/gan/lab/internal/founding_digits.h"
#include "duel/gan/lab/internal/founding_rows.h"
#include "duel/gan/objective/distances/fisher.h"
#include "duel/gan/picture/plot.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

// Bounds, set before the first run.
constexpr double kCriticTracksBound = 0.2;  // the Wasserstein critics' mean correlation below 1
constexpr double kCriticSureBound = 1.0;    // the low end of its interval below 1: above 0
constexpr double kCriticFlatExpected = -0.25, kCriticFlatBound = 0.75;  // the usual loss's: at most 1/2

struct CriticPlan {
  std::vector<std::string> objectives;
  int64_t channels = 32, batch = 32, drawn = 60000;
  // Not the first ones: the values of wgan and wgan-gp sink at once, as G leaves its start, and rise again while D learns,
  // until iteration 3,000 at most in seeds 101, 102 and 103, none of which is counted: gan/lab/README.md.
  FoundingLooks looks = {.before = 3000, .every = 750, .count = 12};
  int64_t judged = 512, real = 10000;
};

/// Why an objective's D has no value to be read; empty: it has one.
std::string critic_left_out(const Objective& objective) {
  if (objective.critic == CriticKind::embedding)
    return "D gives an embedding, and its loss is of pairs within a batch";
  if (objective.equilibrium) return "D is an autoencoder, and k, which moves, is in its loss";
  if (is_autoencoder(objective.critic)) return "D is an autoencoder, and no critic";
  if (std::any_of(objective.d_terms.begin(), objective.d_terms.end(), has_multiplier))
    return "a multiplier, which moves, is in D's loss";
  if (!objective.d_terms.empty()) return "a term about labels or codes is in D's loss";
  return "";
}

enum class CriticKindOf { falls, open, flat };  // Note [What theory says of D's value]
constexpr const char* kCriticKinds[] = {"falls", "open", "flat"};

CriticKindOf critic_kind(const Objective& o) {
  if (o.loss.name == wasserstein_loss().name) return CriticKindOf::falls;
  const bool limited = !o.penalties.empty() || o.constraint.weight_clip > 0 || o.constraint.spectral_norm;
  return limited ? CriticKindOf::open : CriticKindOf::flat;
}

/// What -L_D is at the best D, in words.
std::string critic_theory(const Objective& o) {
  const std::string& loss = o.loss.name;
  std::string value;
  if (loss == wasserstein_loss().name)
    value = o.constraint.weight_clip > 0 ? "W1, by a critic of clipped weights"
                                         : "W1, by a critic of limited slope";
  else if (o.relativism != Relativism::none)
    value = "a divergence of pairs, bounded";
  else if (loss.starts_with("hinge"))
    value = "2 TV - 2, bounded";
  else if (loss.starts_with("least_squares"))
    value = "chi-squared to the mixture, bounded";
  else if (loss == divergence_loss(jensen_shannon()).name)
    value = "2 JS, bounded";
  else if (o.loss.cross_entropy)
    value = "2 JS - 2 log 2, bounded";
  else if (loss.starts_with("softmax"))
    value = "a cross-entropy within the batch, bounded";
  else
    value = message("the f-divergence of {}", o.name);
  if (is_conditional(o.critic)) value += "; of images with their labels";
  if (critic_kind(o) == CriticKindOf::open) value += "; D is held by a penalty or constraint";
  return value;
}

/// Of one objective, over its seeds.
struct CriticStory {
  std::string objective, theory;
  CriticKindOf kind = CriticKindOf::flat;
  std::vector<FoundingRun> runs;
  std::vector<double> levels = {}, changes = {};  // correlations of each run; NaN of one that ended early
  Estimate level = {}, change = {};               // over the runs
  int64_t counted = 0;                            // runs that have a correlation
};

std::vector<double> differences(const std::vector<double>& values) {
  std::vector<double> result;
  for (size_t i = 1; i < values.size(); ++i) result.push_back(values[i] - values[i - 1]);
  return result;
}

void add_correlations(const CriticPlan& plan, CriticStory& story) {
  for (const FoundingRun& run : story.runs) {
    const bool whole = std::ssize(run.looks) == plan.looks.count;
    const auto values = column_of(run.looks, &FoundingLook::value);
    const auto distances = column_of(run.looks, &FoundingLook::distance);
    story.levels.push_back(whole ? rank_correlation(values, distances).value : NAN);
    story.changes.push_back(whole ? rank_correlation(differences(values), differences(distances)).value
                                  : NAN);
    if (!std::isnan(story.levels.back())) ++story.counted;
  }
  story.level = mean_correlation(story.levels, plan.looks.count);
  story.change = mean_correlation(story.changes, plan.looks.count - 1);
}

// Pictures.

Color critic_color(CriticKindOf kind) { return series_color(static_cast<size_t>(kind)); }

Canvas critic_ladder(std::vector<CriticStory> stories, Estimate CriticStory::*which,
                     const std::string& title) {
  std::stable_sort(stories.begin(), stories.end(), [&](const CriticStory& a, const CriticStory& b) {
    return (a.*which).value > (b.*which).value;
  });
  std::vector<std::string> names;
  for (const CriticStory& story : stories) names.push_back(story.objective);
  Plot plot({.title = title,
             .y_label = "rank correlation with the distance",
             .width = 1000,
             .height = 460,
             .y_range = Range{-1.05, 1.05},
             .x_names = names});
  for (const CriticKindOf kind : {CriticKindOf::falls, CriticKindOf::open, CriticKindOf::flat}) {
    std::vector<double> at, means;
    for (size_t i = 0; i < stories.size(); ++i) {
      if (stories[i].kind != kind) continue;
      const Estimate& e = stories[i].*which;
      const auto x = static_cast<double>(i);
      plot.line({x, x}, {e.interval.low, e.interval.high},
                {.color = critic_color(kind), .width = 3, .opacity = 0.5});
      at.push_back(x);
      means.push_back(e.value);
    }
    if (!at.empty())
      plot.scatter(at, means,
                   {.label = message("theory: {}", kCriticKinds[static_cast<size_t>(kind)]),
                    .color = critic_color(kind),
                    .radius = 4});
  }
  plot.horizontal(0, {.color = Color{0, 0, 0}});
  return plot.draw();
}

Canvas critic_clouds(const std::vector<CriticStory>& stories, const std::string& judge) {
  std::vector<Canvas> panels;
  for (const CriticStory& story : stories) {
    Plot plot({.title = message("{}: {}", story.objective, fixed(story.level.value, 2)),
               .x_label = "fd-" + judge,
               .y_label = "D's value",
               .width = 330,
               .height = 260,
               .log_x = true});
    for (size_t i = 0; i < story.runs.size(); ++i) {
      const auto x = column_of(story.runs[i].looks, &FoundingLook::distance),
                 y = column_of(story.runs[i].looks, &FoundingLook::value);
      plot.line(x, y, {.color = series_color(i), .width = 0.7, .opacity = 0.5});
      plot.scatter(x, y, {.color = series_color(i), .radius = 2.5});
    }
    panels.push_back(plot.draw());
  }
  return tile(panels, std::min<int64_t>(6, std::ssize(panels)));
}

Canvas critic_curves(const std::vector<CriticStory>& stories, const std::vector<std::string>& names,
                     const std::string& judge) {
  std::vector<Canvas> values, distances;
  for (const CriticStory& story : stories) {
    if (std::find(names.begin(), names.end(), story.objective) == names.end()) continue;
    Plot value({.title = story.objective + ": D's value",
                .x_label = "iteration",
                .y_label = "-L_D",
                .width = 420,
                .height = 300});
    Plot distance({.title = story.objective + ": distance",
                   .x_label = "iteration",
                   .y_label = "fd-" + judge,
                   .width = 420,
                   .height = 300,
                   .log_y = true});
    for (size_t i = 0; i < story.runs.size(); ++i) {
      const auto& looks = story.runs[i].looks;
      const auto at = column_of(looks, &FoundingLook::iteration);
      value.line(at, column_of(looks, &FoundingLook::value), {.color = series_color(i)});
      distance.line(at, column_of(looks, &FoundingLook::distance), {.color = series_color(i)});
    }
    values.push_back(value.draw());
    distances.push_back(distance.draw());
  }
  const int64_t columns = std::ssize(values);
  values.insert(values.end(), distances.begin(), distances.end());
  return tile(values, columns);
}

// What is said.

std::vector<FoundingTable> critic_tables(const CriticPlan& plan, const std::vector<CriticStory>& stories,
                                         const std::vector<uint64_t>& seeds) {
  FoundingTable found{
      .name = "objective", .columns = {"of levels", "low", "high", "changes", "low", "high"}, .rows = {}};
  FoundingTable curves{
      .name = "objective, seed, number", .columns = plan.looks.names(), .rows = {}, .listed = false};
  for (const CriticStory& story : stories) {
    std::string note = message("{}: {}", kCriticKinds[static_cast<size_t>(story.kind)], story.theory);
    if (story.counted < std::ssize(story.runs))
      note += message("; {} of {} runs have a correlation", story.counted, story.runs.size());
    found.rows.push_back({story.objective,
                          {story.level.value, story.level.interval.low, story.level.interval.high,
                           story.change.value, story.change.interval.low, story.change.interval.high},
                          note});
    for (size_t i = 0; i < story.runs.size(); ++i) {
      const FoundingRun& run = story.runs[i];
      const std::string where = message("{}, seed {}", story.objective, seeds[i]);
      curves.rows.push_back({where + ", D's value", column_of(run.looks, &FoundingLook::value), run.failure});
      curves.rows.push_back({where + ", distance", column_of(run.looks, &FoundingLook::distance)});
    }
  }
  return {found, curves};
}

std::string listed_names(const std::vector<std::string>& names) {
  return names.empty() ? "none" : joined(names);
}

/// Which objectives of a kind were separated from no correlation.
std::string critic_conclusion(const std::vector<CriticStory>& stories, CriticKindOf kind,
                              Estimate CriticStory::*which, const std::string& what) {
  std::vector<std::string> above, below, open;
  for (const CriticStory& story : stories) {
    if (story.kind != kind) continue;
    const Interval& range = (story.*which).interval;
    (range.low > 0 ? above : range.high < 0 ? below : open).push_back(story.objective);
  }
  constexpr const char* kWho[] = {"The Wasserstein loss", "Other losses, D held by a penalty or constraint",
                                  "Other losses, D not held"};
  return message("{}: {}, beyond the interval, in {}; the other way in {}; neither is told in {}.",
                 kWho[static_cast<size_t>(kind)], what, listed_names(above), listed_names(below),
                 listed_names(open));
}

const CriticStory* story_of(const std::vector<CriticStory>& stories, const std::string& objective) {
  for (const CriticStory& story : stories)
    if (story.objective == objective) return &story;
  return nullptr;
}

/// Whether the correlation of one objective is above that of another, by their common seeds.
std::string critic_contrast(const CriticPlan& plan, const CriticStory& a, const CriticStory& b) {
  std::vector<double> z;
  for (size_t i = 0; i < a.levels.size(); ++i)
    z.push_back(std::atanh(mean_correlation({a.levels[i]}, plan.looks.count).value) -
                std::atanh(mean_correlation({b.levels[i]}, plan.looks.count).value));
  const Interval range = mean_of_runs(z).interval;
  const std::string verdict = range.low > 0    ? "is above"
                              : range.high < 0 ? "is below"
                                               : "is not told apart from";
  return message("The correlation of {}, {}, {} that of {}, {} (Student's paired interval over {} seeds).",
                 a.objective, fixed(a.level.value, 2), verdict, b.objective, fixed(b.level.value, 2),
                 z.size());
}

/// Error where one that is asked for has no value to be read.
CriticPlan critic_plan(const FoundingOptions& options) {
  CriticPlan plan;
  if (options.quick) {
    plan = {.objectives = {"gan", "ns-gan", "wgan", "wgan-gp", "sngan", "cgan"},
            .channels = 16,
            .batch = 16,
            .drawn = 512,
            .looks = {.before = 5, .every = 5, .count = 6},
            .judged = 64,
            .real = 256};
  } else {
    for (const std::string& name : objective_names())
      if (critic_left_out(named_objective(name)).empty()) plan.objectives.push_back(name);
  }
  if (options.objectives.empty()) return plan;
  plan.objectives = options.objectives;
  for (const std::string& name : plan.objectives) {
    const std::string why = critic_left_out(named_objective(name));
    DUEL_CHECK(why.empty(), "lab", "critic: {} has no value of D to be read: {}; leave it out", name, why);
  }
  return plan;
}

Shown show_critic(const FoundingOptions& options, LabObserver& observer) {
  const CriticPlan plan = critic_plan(options);
  const FoundingDigits digits = founding_digits(options.data, plan.drawn, "mlp", plan.channels, plan.batch);
  const FoundingJudge judge = founding_judge(digits, plan.judged, plan.real);
  observer.said(message("real digits: {}", digits.source()));
  observer.started(std::ssize(options.seeds) * std::ssize(plan.objectives) * plan.looks.iterations(), 0);
  Shown shown;
  std::vector<CriticStory> stories;
  int64_t broken = 0;
  for (const std::string& name : plan.objectives) {
    const Objective objective = named_objective(name);
    CriticStory story{
        .objective = name, .theory = critic_theory(objective), .kind = critic_kind(objective), .runs = {}};
    for (const uint64_t seed : options.seeds) {
      const auto trainer = founding_trainer(digits, name, seed);
      story.runs.push_back(founding_run(*trainer, judge, plan.looks, seed, observer));
      if (observer.stop()) return shown;
      if (!story.runs.back().failure.empty()) ++broken;
    }
    add_correlations(plan, story);
    observer.said(message("{}: rank correlation {} ({} to {})", name, fixed(story.level.value, 2),
                          fixed(story.level.interval.low, 2), fixed(story.level.interval.high, 2)));
    stories.push_back(std::move(story));
  }

  for (const CriticStory& story : stories) {
    const std::string what =
        message("rank correlation of D's value and fd-{}, {}", judge.judge.name(), story.objective);
    if (story.kind == CriticKindOf::falls) {
      shown.facts.push_back({.what = what + ", mean",
                             .expected = 1,
                             .found = story.level.value,
                             .bound = kCriticTracksBound,
                             .source = "Arjovsky et al. 2017, figure 3"});
      if (options.seeds.size() > 1)
        shown.facts.push_back({.what = what + ", low end of the interval over seeds",
                               .expected = 1,
                               .found = story.level.interval.low,
                               .bound = kCriticSureBound,
                               .source = "Arjovsky et al. 2017, figure 3"});
    } else if (story.objective == "gan" || story.objective == "ns-gan") {
      shown.facts.push_back({.what = what + ", mean: at most 1/2",
                             .expected = kCriticFlatExpected,
                             .found = story.level.value,
                             .bound = kCriticFlatBound,
                             .source = "Arjovsky et al. 2017, figure 4: the bound on JS does not fall"});
    }
  }
  shown.tables = critic_tables(plan, stories, options.seeds);
  shown.pictures = {
      {"correlations", tile({critic_ladder(stories, &CriticStory::level, "D's value and the distance"),
                             critic_ladder(stories, &CriticStory::change, "their changes from look to look")},
                            1)},
      {"clouds", critic_clouds(stories, judge.judge.name())},
      {"curves", critic_curves(stories, {"wgan", "wgan-gp", "ns-gan", "gan"}, judge.judge.name())}};

  std::string left_out;
  for (const std::string& name : objective_names())
    if (const std::string why = critic_left_out(named_objective(name)); !why.empty())
      left_out += message("{}{} ({})", left_out.empty() ? "" : ", ", name, why);
  shown.conclusions = {
      message(
          "Real digits are {}; G and D are mlp, {} wide, batch {}; {} iterations, {} looks at {} samples, whose "
          "fd-{} has the floor {} (training images); {} of {} runs left the finite numbers. The interval is "
          "Student's over seeds, on Fisher's transformation: looks of one run follow each other and are not "
          "as many draws.",
          digits.source(), plan.channels, plan.batch, plan.looks.iterations(), plan.looks.count, plan.judged,
          judge.judge.name(), significant(judge.floor, 3), broken, stories.size() * options.seeds.size()),
      message("Left out: {}.", left_out)};
  if (options.seeds.size() < 2) {
    shown.conclusions.push_back(
        "One seed gives no interval, and nothing is told apart by it: --seeds 3 or more.");
    return shown;
  }
  for (const auto& [which, what] :
       {std::pair{&CriticStory::level, "D's value falls with the distance"},
        {&CriticStory::change, "its changes from look to look go with those of the distance"}})
    for (const CriticKindOf kind : {CriticKindOf::falls, CriticKindOf::open, CriticKindOf::flat})
      if (std::any_of(stories.begin(), stories.end(),
                      [&](const CriticStory& story) { return story.kind == kind; }))
        shown.conclusions.push_back(critic_conclusion(stories, kind, which, what));
  for (const char* usual : {"ns-gan", "gan"})
    for (const char* critic : {"wgan", "wgan-gp"})
      if (const CriticStory* a = story_of(stories, critic), *b = story_of(stories, usual); a && b)
        shown.conclusions.push_back(critic_contrast(plan, *a, *b));
  return shown;
}

}  // namespace

FoundingRow critic_row() {
  return {
      .name = "critic",
      .title = "D's value and the quality of samples",
      .claim =
          "The critic's estimate of the Wasserstein distance falls while samples improve, where the bound on JS of "
          "a cross-entropy D does not (Arjovsky et al. 2017, arXiv:1701.07875, figures 3 and 4).",
      .show = show_critic,
      .uses_data = true,
      .uses_objectives = true};
}

}  // namespace duel::gan::lab
