// The assembler puts the files into the read-only data, as they are. CMake lists them (cmake/DuelJudges.cmake):
// a row JUDGE(NUMBER, "NAME", "FILE") each.
#include "duel/gan/judge/internal/embedded_judges.h"

#include <vector>

#define JUDGE(number, name, file)                                                            \
  asm(".pushsection .rodata\n"                                                               \
      ".balign 64\n"                                                                         \
      ".hidden duel_judge_" #number                                                          \
      "_begin\n"                                                                             \
      ".hidden duel_judge_" #number                                                          \
      "_end\n"                                                                               \
      ".globl duel_judge_" #number                                                           \
      "_begin\n"                                                                             \
      ".globl duel_judge_" #number                                                           \
      "_end\n"                                                                               \
      "duel_judge_" #number                                                                  \
      "_begin:\n"                                                                            \
      ".incbin \"" file                                                                      \
      "\"\n"                                                                                 \
      "duel_judge_" #number                                                                  \
      "_end:\n"                                                                              \
      ".popsection\n");                                                                      \
  extern "C" __attribute__((visibility("hidden"))) const char duel_judge_##number##_begin[], \
      duel_judge_##number##_end[];
#include "duel_judges.inc"
#undef JUDGE

namespace duel::gan {

std::span<const EmbeddedJudge> embedded_judges() {
#define JUDGE(number, name, file) {name, {duel_judge_##number##_begin, duel_judge_##number##_end}},
  static const std::vector<EmbeddedJudge> judges = {
#include "duel_judges.inc"
  };
#undef JUDGE
  return judges;
}

}  // namespace duel::gan
