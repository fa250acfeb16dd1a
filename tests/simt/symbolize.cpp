// From addresses to names, by binutils' addr2line: only when something failed.
#include <link.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <mutex>

#include "engine.h"

namespace duel::simt {
namespace {

std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::string program_path() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  return length > 0 ? std::string(path, static_cast<size_t>(length)) : std::string();
}

uintptr_t load_address() {
  uintptr_t base = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* raw) {
        *static_cast<uintptr_t*>(raw) = info->dlpi_addr;
        return 1;
      },
      &base);
  return base;
}

std::vector<std::string> lines_of(const std::string& command) {
  std::vector<std::string> lines;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return lines;
  char* line = nullptr;
  size_t capacity = 0;
  for (ssize_t length; (length = getline(&line, &capacity, pipe)) > 0;) {
    while (length > 0 && line[length - 1] == '\n') --length;
    lines.emplace_back(line, static_cast<size_t>(length));
  }
  std::free(line);
  pclose(pipe);
  return lines;
}

/// "kernels/base/lanes.cuh:75" from the path that the compiler saw.
std::string shortened(std::string where) {
  const std::string root = std::string(DUEL_SOURCE_DIR) + "/";
  if (where.rfind(root, 0) == 0) where.erase(0, root.size());
  const size_t link = where.rfind("/duel/");  // build/include/kernels/duel/kernels/…
  if (link != std::string::npos) where.erase(0, link + 6);
  const size_t discriminator = where.find(" (discriminator");
  if (discriminator != std::string::npos) where.erase(discriminator);
  return where.rfind("??", 0) == 0 ? std::string() : where;
}

bool of_the_harness(const std::string& where) {
  return where.empty() || where.find("simt/host_cuda.h") != std::string::npos ||
         where.find("simt/vector_types.h") != std::string::npos ||
         where.find("/include/c++/") != std::string::npos;
}

}  // namespace

std::vector<Place> symbolize(const std::vector<uintptr_t>& addresses, bool entry) {
  static std::mutex mutex;
  static std::map<uintptr_t, Place> known;
  std::scoped_lock lock(mutex);
  const uintptr_t base = load_address(), back = entry ? 0 : 1;
  std::vector<uintptr_t> wanted;
  for (uintptr_t address : addresses) {
    if (known.count(address - back) == 0) wanted.push_back(address - back);
  }
  if (!wanted.empty()) {
    std::string command = "addr2line -f -C -i -e " + shell_quoted(program_path());
    char text[32];
    // -a repeats each address before its pairs of lines: function, file:line; inlined calls follow outwards.
    command += " -a";
    for (uintptr_t address : wanted) {
      std::snprintf(text, sizeof(text), " 0x%lx", static_cast<unsigned long>(address - base));
      command += text;
    }
    const std::vector<std::string> lines = lines_of(command + " 2>/dev/null");
    size_t next = 0;
    for (size_t k = 0; k < lines.size() && next < wanted.size();) {
      Place place;
      for (++k; k + 1 < lines.size() && lines[k].rfind("0x", 0) != 0; k += 2) {
        const std::string where = shortened(lines[k + 1]);
        place.chain += where + "\n";
        place.function = lines[k];  // the outermost: the function itself
        if (place.where.empty() && !of_the_harness(where)) place.where = where;
      }
      known[wanted[next++]] = place;
    }
  }
  std::vector<Place> places;
  for (uintptr_t address : addresses) places.push_back(known[address - back]);
  return places;
}

const char* name(Fault fault) {
  switch (fault) {
    case Fault::race:
      return "race";
    case Fault::uninitialised:
      return "uninitialised memory";
    case Fault::out_of_bounds:
      return "out of bounds";
    case Fault::misaligned:
      return "misaligned access";
    case Fault::write_to_input:
      return "write to an input";
    case Fault::divergent_barrier:
      return "divergent barrier";
    case Fault::skipped_barrier:
      return "skipped barrier";
    case Fault::divergent_warp_op:
      return "divergent warp operation";
    case Fault::lane_not_in_mask:
      return "lane not in its mask";
    case Fault::exited_lane:
      return "exited lane in mask";
    case Fault::bad_source_lane:
      return "bad source lane";
    case Fault::deadlock:
      return "deadlock";
    case Fault::bad_launch:
      return "bad launch";
    case Fault::order_dependence:
      return "order dependence";
    case Fault::unwritten_output:
      return "unwritten output";
    case Fault::guard_overwritten:
      return "guard overwritten";
    case Fault::host_access:
      return "host access";
    case Fault::stack_overflow:
      return "stack overflow";
    case Fault::crash:
      return "crash";
  }
  return "";
}

Failure explain(const Launch& launch, const Diagnosis& diagnosis) {
  const auto text = [](uint3 v) {
    return "(" + std::to_string(v.x) + ", " + std::to_string(v.y) + ", " + std::to_string(v.z) + ")";
  };
  const auto place_of = [](const Site& site) {
    std::vector<uintptr_t> addresses(site.pc.begin(), site.pc.begin() + site.depth);
    const std::vector<Place> places = symbolize(addresses);
    std::string where;
    for (size_t k = places.size(); k-- > 0;) {
      if (!places[k].where.empty()) where += (where.empty() ? "" : " from ") + places[k].where;
    }
    return where.empty() ? std::string("an unknown place") : where;
  };
  const std::string kernel = symbolize({reinterpret_cast<uintptr_t>(launch.kernel)}, true).front().function;
  const std::string site = place_of(diagnosis.site);
  std::string what = diagnosis.what;
  const size_t hole = what.find("{other}");
  if (hole != std::string::npos) what.replace(hole, 7, place_of(diagnosis.other));
  Failure failure(diagnosis.fault, std::string(name(diagnosis.fault)) + ": block " + text(diagnosis.block) +
                                       ", thread " + text(diagnosis.thread) + " " + what + ", at " + site +
                                       " in " + kernel + " [" + to_text(schedule()) + "]");
  failure.kernel = kernel;
  failure.in_thread = diagnosis.in_thread;
  failure.block = diagnosis.block;
  failure.thread = diagnosis.thread;
  failure.site = site;
  return failure;
}

}  // namespace duel::simt
