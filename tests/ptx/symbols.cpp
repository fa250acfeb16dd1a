// This program's own symbols, from its ELF file: executor.h.
#include <elf.h>
#include <link.h>

#include <cctype>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "executor.h"

namespace duel::ptx {
namespace {

template <class T>
T at(const std::string& file, uint64_t offset) {
  T value{};
  if (offset + sizeof(T) <= file.size()) std::memcpy(&value, file.data() + offset, sizeof(T));
  return value;
}

std::map<uintptr_t, Symbol> read_symbols() {
  std::ifstream stream("/proc/self/exe", std::ios::binary);
  std::ostringstream all;
  all << stream.rdbuf();
  const std::string file = all.str();
  uintptr_t base = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* raw) {
        *static_cast<uintptr_t*>(raw) = info->dlpi_addr;
        return 1;  // the program itself comes first
      },
      &base);
  std::map<uintptr_t, Symbol> symbols;
  const auto header = at<Elf64_Ehdr>(file, 0);
  const auto section = [&](uint64_t k) {
    return at<Elf64_Shdr>(file, header.e_shoff + k * header.e_shentsize);
  };
  for (uint64_t k = 0; k < header.e_shnum; ++k) {
    const Elf64_Shdr table = section(k);
    if (table.sh_type != SHT_SYMTAB) continue;
    const Elf64_Shdr names = section(table.sh_link);
    std::string source;
    for (uint64_t offset = 0; offset < table.sh_size; offset += sizeof(Elf64_Sym)) {
      const auto symbol = at<Elf64_Sym>(file, table.sh_offset + offset);
      const uint64_t begin = names.sh_offset + symbol.st_name;
      if (begin >= file.size()) continue;
      const std::string name(file.c_str() + begin);
      if (ELF64_ST_TYPE(symbol.st_info) == STT_FILE) source = name;
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_value == 0) continue;
      const bool local = ELF64_ST_BIND(symbol.st_info) == STB_LOCAL;
      symbols[base + symbol.st_value] = {name, local ? source : std::string()};
    }
  }
  return symbols;
}

}  // namespace

Symbol symbol_of(const void* function) {
  static const std::map<uintptr_t, Symbol> symbols = read_symbols();
  const auto found = symbols.find(reinterpret_cast<uintptr_t>(function));
  return found != symbols.end() ? found->second : Symbol{};
}

std::string without_hashes(std::string mangled) {
  static const std::string kMark = "_GLOBAL__N_", kPlain = "12_GLOBAL__N_1";
  for (size_t mark = 0; (mark = mangled.find(kMark, mark)) != std::string::npos;) {
    // Before it stands how long the name is. Names of namespaces have 12 to 99 characters.
    if (mark < 2 || std::isdigit(static_cast<unsigned char>(mangled[mark - 1])) == 0 ||
        std::isdigit(static_cast<unsigned char>(mangled[mark - 2])) == 0) {
      break;
    }
    const auto length = static_cast<size_t>(std::stoi(mangled.substr(mark - 2, 2)));
    mangled.replace(mark - 2, 2 + length, kPlain);
    mark += kPlain.size() - 2;
  }
  return mangled;
}

}  // namespace duel::ptx
