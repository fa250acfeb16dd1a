// Stacked digits, the count of modes that papers report: an objective is trained on images of three digits each, one in each
// colour (gan/data/stacked_digits.h); of its samples a judge reads every colour by itself, so that each is one of 1,000
// kinds. How many kinds are there, and how uneven are they? What `duel lab stacked` prints.
//
//   DIR/results.md, results.json   the table of all finished runs in the folder; samples.png: each objective's first seed
//   DIR/runs/OBJECTIVE-SEED.*      every run: its score, samples of every kind, a picture; real.json: what real digits get
//
// Finished runs are not trained again, and several processes share a folder (internal/shared_runs.h).
//
// Note [Stacked protocols]
// Networks, optimizers, batch and number of samples are those of three published experiments, told apart by how large D is:
//   quarter, half   Metz et al. 2017 (Unrolled GAN, arXiv:1611.02163), as PacGAN's authors ran it again (Lin et al. 2018,
//                   arXiv:1712.04086, table 3): D's widths are a quarter or a half of G's; 500,000 steps of batch 128
//   full            Srivastava et al. 2017 (VEEGAN, arXiv:1705.07761), PacGAN's table 2: a DCGAN; 50 epochs of 128,000
//                   images in batches of 64, two steps of G for one of D
// An objective's own penalties, constraint, packing (a batch is then so many packed samples), average and steps of D per
// step of G stay; weights that are clipped keep their optimizers. D has no batch norm where the objective forbids it.
// What differs from the papers: images are 128,000 stacked ones of the training digits alone, and pixels are from -1 to 1 for
// G's tanh (VEEGAN's code has data from 0 to 1 there); layers begin as PyTorch's (full: from N(0, 0.02)); the judge is
// Duel's. The number of steps is the caller's.
//
// Note [Floors of stacked digits]
// N samples of a perfect G miss kinds by chance and are uneven by chance: of even kinds K (1 - (1 - 1/K)^N) are met and the
// divergence is about (K - 1) / 2N, 0.0193 of 26,000. Digits are not quite even, and the judge errs: so real stacked test
// digits are read as well, as many as there are samples. What is no digit is read as some digit too, and often surely: gray
// noise is 888 to mnist-v1. So a Frechet distance of the judge's features stands beside the modes, between the digits in all
// colours of the samples and those of the real ones; the floor is that of stacked training digits.
//
// Example:
//   LabObserver quiet;
//   StackedOutcome outcome = run_stacked({.objectives = {"ns-gan", "pacgan"}, .steps = 20000, .out = "stacked"}, quiet);
//   std::fputs(to_text(make_stacked_table(outcome)).c_str(), stdout);
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/judge/frechet.h"
#include "duel/gan/judge/interval.h"
#include "duel/gan/lab/league/scores.h"
#include "duel/gan/lab/modes.h"
#include "duel/gan/lab/observer.h"
#include "duel/gan/models/models.h"
#include "duel/gan/objective/objective.h"
#include "duel/gan/record/run_config.h"

namespace duel::gan::lab {

/// A row of a paper's table: mean and standard error over its trials.
struct StackedPublished {
  std::string name;
  double modes = 0, modes_error = 0, reverse_kl = 0, reverse_kl_error = 0;
};

/// Note [Stacked protocols].
struct StackedProtocol {
  std::string name, about;
  int64_t latent = 256;
  NoiseKind noise = NoiseKind::normal;
  int64_t width_g = 8, width_d = 2;  // channels where a network is narrowest
  int64_t batch = 128, generator_steps = 1;
  OptimizerChoice d = {}, g = {};
  int64_t samples = 25600;        // to count modes in
  int64_t published_steps = 0;    // updates of D
  std::string published_in = "";  // what the rows are from
  std::vector<StackedPublished> published = {};
};
const std::vector<StackedProtocol>& stacked_protocols();
/// By name; Error that lists them.
const StackedProtocol& stacked_protocol(const std::string& name);

/// The objective as the protocol trains it; with `own_schedule` by its own optimizers and order of updates. Error for one
/// that needs classes, or whose D is an autoencoder.
Objective stacked_objective(const StackedProtocol& protocol, const std::string& name, bool own_schedule);

/// Fresh networks of the protocol: from [N, latent] to images [N, 3, 28, 28], and D of packed ones.
Networks stacked_networks(const StackedProtocol& protocol, const Objective& objective, Generator& random);

struct StackedScore {
  int64_t modes = 0;      // kinds of which there is a sample
  double reverse_kl = 0;  // KL(shares of the kinds || even), natural logarithm: 0 to ln 1000
};
/// counts: samples of each of the 1,000 kinds, at least one sample.
StackedScore score_stacked(const std::vector<int64_t>& counts);

/// What even kinds get in so many samples, in the mean. Exact: a kind's number of samples is binomial.
double expected_modes(int64_t samples, int64_t kinds = 1000);
double expected_reverse_kl(int64_t samples, int64_t kinds = 1000);

struct StackedRequest {
  std::vector<std::string> objectives = {};
  std::vector<uint64_t> seeds = {1, 2, 3};
  int64_t steps = 20000;             // iterations of each run
  std::string protocol = "quarter";  // of stacked_protocols()
  int64_t count = 0;                 // samples to count modes in; 0: the protocol's
  bool own_schedule = false;
  RunConfig config = {};  // data (the digits), stacked_count and synthetic_count count
  std::filesystem::path out = {};
};

struct StackedRun {
  std::string objective = "";
  uint64_t seed = 0;
  std::string failure = "";  // why it ended early, without modes; empty
  double seconds = 0;        // of training and counting, beside whatever else the machine did
  int64_t steps = 0;         // done
  std::string judge = "";
  StackedScore score = {};
  std::optional<double> fd = {};     // Note [Floors of stacked digits]; none where it failed
  std::vector<int64_t> counts = {};  // of every kind
  Tensor samples = {};               // u8 [H, W, 3] picture of some samples
};

/// What real stacked digits get.
struct StackedFloor {
  std::string data = "";
  StackedScore score = {};
  double fd = 0;         // of as many stacked training digits
  Moments moments = {};  // of the features of the real digits
};

struct StackedOutcome {
  std::vector<StackedRun> runs = {};       // finished ones in the folder, by objective and seed
  std::optional<StackedFloor> floor = {};  // where it was read
  StackedRequest request = {};             // with its count filled in
  bool complete = true;                    // every run of the request is among them
  std::vector<std::string> held = {};      // where not: runs that other processes train, with who does
};

/// Trains what is not in the folder and no other process trains, until the observer stops it, and writes table and picture of
/// what is finished. Error before any training for a request that cannot be, data without test digits, and a folder that
/// holds runs of other settings.
StackedOutcome run_stacked(const StackedRequest& request, LabObserver& observer);

struct StackedRow {
  std::string objective;
  int64_t runs = 0, failed = 0;
  Spread modes = {}, reverse_kl = {};        // a run that failed has no modes, and ln 1000
  std::optional<Interval> modes_range = {};  // Student's 95 % of the mean, of two runs or more
  std::optional<Ranks> rank = {};            // by modes
  std::optional<double> fd = {};             // mean of the runs that did not fail
  double seconds = 0;                        // mean
};
struct StackedTable {
  StackedRequest request;
  std::vector<uint64_t> seeds = {};
  std::optional<StackedFloor> floor = {};
  std::vector<StackedRow> rows = {};  // most modes first
};
StackedTable make_stacked_table(const StackedOutcome& outcome);

std::string to_text(const StackedTable& table);
std::string to_markdown(const StackedTable& table);

}  // namespace duel::gan::lab
