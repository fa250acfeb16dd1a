// The commands of duel, each in the file of its name: train.cpp, sample.cpp, plot.cpp, objectives.cpp, networks.cpp,
// info.cpp, bench.cpp, lab.cpp, judge.cpp, eval.cpp, list.cpp, compare.cpp, invert.cpp, sweep.cpp,
// singan.cpp, export.cpp, data/data_command.cpp; and in names.cpp, what their options have in common.
#pragma once

#include "terminal/command_line.h"

namespace duel::apps {

Command train_command(int argc, char** argv);
Command sample_command();
Command plot_command();
Command objectives_command();
Command networks_command();
Command info_command();
Command bench_command();
Command lab_command();
Command judge_command();
Command eval_command();
Command list_command();
Command compare_command();
Command invert_command();
Command sweep_command();
Command singan_command();
Command export_command();
Command data_command();

/// Options and words that mean the same in every command get what may be given there: names of objectives, networks,
/// devices, judges.
void add_known_names(std::vector<Command>& commands);

}  // namespace duel::apps
