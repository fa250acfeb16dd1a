// A report of `duel bench kernels` in the forms of others: a page for a browser, google-benchmark's JSON.
#pragma once

#include <string>

#include "report.h"

namespace duel::apps::bench {

/// One file that opens without a network, light or dark as the reader's system is: for every family a diagram of the
/// bandwidth in per cent of a copy's against the bytes that must move, and all rows as a table.
std::string to_html(const Report& report);

/// What google-benchmark's --benchmark_format=json writes, for its tools (compare.py). A row is one benchmark "NAME/SIZE":
/// real_time and cpu_time are its median in microseconds (no CPU time is measured), the rest are counters.
std::string to_google_json(const Report& report);

}  // namespace duel::apps::bench
