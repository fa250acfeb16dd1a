// Ctrl-C and its relatives: the first asks the work to stop, the second ends the process at once.
#pragma once

namespace duel::apps {

/// From now on SIGINT, SIGTERM and SIGHUP set a mark instead of ending the process; a broken pipe and a file
/// that grows beyond its limit become errors of the write in question.
void catch_signals();

/// The first signal that came, or 0.
int caught_signal();

}  // namespace duel::apps
