// duel lab stacked, and duel train, sample and eval on stacked digits, as processes.
#include "command.h"

namespace duel::apps::testing {
namespace {

using duel::testing::Scratch;

TEST(Stacked, OfTheLabPrintsTheTableAndGoesOn) {
  Scratch scratch;
  const std::filesystem::path out = scratch / "stacked";
  const Args args{"lab",         "stacked", "--data",    "synthetic", "--images", "300",
                  "--objective", "pacgan",  "--steps",   "2",         "--count",  "60",
                  "--seeds",     "2",       "--threads", "1",         "--out",    out.string()};
  const Result r = duel(args);
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(has(r.out, " pacgan ") && has(r.out, " real digits ") && has(r.out, " PacDCGAN2 ")) << r.out;
  EXPECT_TRUE(has(r.out, "NOT the published length")) << r.out;
  EXPECT_TRUE(has(r.err, "[2/2] pacgan seed 2: ")) << r.err;
  for (const char* file :
       {"results.md", "results.json", "samples.png", "runs/real.json", "runs/pacgan-2.json"})
    EXPECT_TRUE(std::filesystem::exists(out / file)) << file;
  const Result again = duel(args);
  EXPECT_EQ(again.out, r.out);
  EXPECT_TRUE(has(again.err, "2 finished runs found, 0 to train")) << again.err;

  expect_refused(duel(with(args, {"--protocol", "third"})), {"quarter, half, full", "'third'"});
  expect_refused(duel(with(args, {"--objective", "cgan"})), {"cgan", "needs classes"});
  expect_refused(duel(with(args, {"--lambda", "1"})), {"--lambda says nothing to stacked"});
  expect_refused(duel(with(args, {"--objective", "all"})), {"--objective", "got all"});
  expect_refused(duel({"lab", "ring", "--protocol", "half"}), {"--protocol says nothing to ring"});
  expect_refused(
      duel({"lab", "league", "--data", "stacked:synthetic", "--quiet", "--out", (scratch / "l").string()}),
      {"expected gray digits", "duel lab stacked"});
}

TEST(Stacked, RunsAreTrainedSampledAndJudged) {
  Scratch scratch;
  const std::string run = (scratch / "run").string(), png = (scratch / "grid.png").string();
  const Result trained =
      duel({"train", "--data", "stacked:synthetic", "--synthetic-count", "100", "--stacked-count", "100",
            "--arch", "mlp", "--steps", "2", "--batch", "16", "--diagnose-every", "0", "--out", run});
  EXPECT_EQ(trained.status, 0) << trained.err;
  EXPECT_TRUE(has(trained.out, "100 images of 28x28x3")) << trained.out;
  EXPECT_EQ(duel({"sample", "--checkpoint", run, "--count", "8", "--out", png}).status, 0);
  const Result judged = duel({"eval", run, "--count", "60"});
  EXPECT_EQ(judged.status, 0) << judged.err;
  EXPECT_TRUE(has(judged.out, "\nmodes-digits-v1-stacked ") &&
              has(judged.out, "\nclass_kl_uniform-digits-v1-stacked "))
      << judged.out;
  expect_refused(duel({"eval", run, "--data", "synthetic"}), {"gray images", "--data stacked"});
  expect_refused(duel({"train", "--data", "stacked:synthetic", "--objective", "cgan", "--out", run + "2"}),
                 {"cgan needs the class of every image"});
}

}  // namespace
}  // namespace duel::apps::testing
