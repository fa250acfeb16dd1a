// Every wait of more than a second shows itself on a terminal, and leaves nothing behind.
#include "../command.h"

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

}  // namespace
}  // namespace duel::apps::testing
