// Every wait of more than a second shows itself on a terminal, and leaves nothing behind; what stands there fits.
#include "../command.h"
#include "apps/terminal/terminal.h"

namespace duel::apps::testing {
namespace {

TEST(Waiting, AClockSaysThatTheWorkGoesOn) {
  duel::testing::Scratch scratch;
  // Three seconds of drawing on one thread.
  const auto run = [&](const char* name, const Args& more, const Surroundings& around) {
    return duel(drawn_run(scratch / name, with({"--synthetic-count", "150000", "--steps", "1"}, more)),
                around)
        .err;
  };
  const Surroundings terminal{.variables = {{"TERM", "xterm"}, {"COLUMNS", "40"}}, .terminal = true};
  const std::string err = run("watched", {}, terminal);
  const size_t clock = err.find("\rdrawing 150000 digits ... 0:01\033[K");
  ASSERT_NE(clock, std::string::npos) << err;
  EXPECT_NE(err.find("\r\033[K", clock), std::string::npos) << "it is wiped: " << err;
  EXPECT_FALSE(has(run("quiet", {"--quiet"}, terminal), "0:0"));
}

TEST(Fitted, ALongValueGoesOnBelowItself) {
  EXPECT_EQ(fitted_lines("device    CPU: a long name\nrun       here\n", 20),
            "device    CPU: a\n          long name\nrun       here\n");
  EXPECT_EQ(fitted_lines("one sentence of some words\n", 20), "one sentence of some\nwords\n");
}

}  // namespace
}  // namespace duel::apps::testing
