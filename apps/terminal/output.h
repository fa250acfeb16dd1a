// What a command says on stdout: whether it was delivered is the exit status's business.
#pragma once

#include <string>

namespace duel::apps {

/// Writes to stdout; control characters in it (of paths, of names from files) become visible, ends of lines
/// stay.
void print(const std::string& text);

/// Why not all of stdout was delivered; empty where it was, or where its reader went away (a pipe to head).
std::string undelivered();

}  // namespace duel::apps
