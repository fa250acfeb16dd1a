// What a module declares: see module.h.
#include "module.h"

#include <cstring>
#include <fstream>
#include <sstream>

#include "cursor.h"
#include "decoder.h"

namespace duel::ptx {

Type type_of(std::string_view name) {
  if (name == "pred") return {Kind::predicate, 0};
  if (name.size() < 2) return {};
  const Kind kind = name[0] == 'b'   ? Kind::bits
                    : name[0] == 'u' ? Kind::is_unsigned
                    : name[0] == 's' ? Kind::is_signed
                    : name[0] == 'f' ? Kind::is_float
                                     : Kind::none;
  const std::string_view bits = name.substr(1);
  const uint8_t bytes = bits == "8" ? 1 : bits == "16" ? 2 : bits == "32" ? 4 : bits == "64" ? 8 : 0;
  if (kind == Kind::none || bytes == 0 || (kind == Kind::is_float && bytes < 4)) return {};
  return {kind, bytes};
}

const char* name(Sort sort) {
  static constexpr const char* kNames[] = {"f32",     "f64",     "special", "integer", "compare",
                                           "convert", "move",    "load",    "store",   "atomic",
                                           "branch",  "barrier", "shuffle", "tensor",  "copy"};
  return kNames[static_cast<int>(sort)];
}

std::string Program::place(uint32_t pc) const {
  if (pc >= code.size()) return file;
  std::string text;
  for (const char c : texts[pc]) {
    const bool blank = c == ' ' || c == '\t' || c == '\n';
    if (!blank) text += c;
    if (blank && !text.empty() && text.back() != ' ') text += ' ';
  }
  return file + ":" + std::to_string(code[pc].line) + ": " + text;
}

Declared read_declaration(Cursor& cursor) {
  Declared made;
  for (;;) {
    const std::string_view word = cursor.next();
    if (word == ".align") {
      made.alignment = static_cast<uint32_t>(cursor.number());
    } else if (word == ".ptr" || word == ".global" || word == ".shared" || word == ".const" ||
               word == ".local") {
      continue;  // what a pointer points at
    } else if (word.size() > 1 && word[0] == '.') {
      made.type = type_of(word.substr(1));
      if (made.type.kind == Kind::none) cursor.fail("a type that is not known: '" + std::string(word) + "'");
      made.bytes = made.type.bytes;
    } else {
      made.name = word;
      break;
    }
  }
  if (made.bytes == 0) cursor.fail("expected a type before '" + made.name + "'");
  made.alignment = std::max<uint32_t>(made.alignment, made.type.bytes);
  while (cursor.take("[")) {
    if (cursor.take("]")) {
      made.open = true;
      made.bytes = 0;
      continue;
    }
    made.bytes *= static_cast<uint32_t>(cursor.number());
    cursor.expect("]");
  }
  return made;
}

namespace {

std::vector<Declared> read_parameters(Cursor& cursor) {
  std::vector<Declared> parameters;
  if (!cursor.take("(")) return parameters;
  while (!cursor.take(")")) {
    if (!parameters.empty()) cursor.expect(",");
    const std::string_view space = cursor.next();
    if (space != ".param" && space != ".reg")
      cursor.fail("expected .param, got '" + std::string(space) + "'");
    parameters.push_back(read_declaration(cursor));
  }
  return parameters;
}

}  // namespace

void Module::read_function(Cursor& cursor, bool entry) {
  Body body;
  body.entry = entry;
  if (!entry) body.results = read_parameters(cursor);
  const std::string function(cursor.next());
  body.parameters = read_parameters(cursor);
  for (;;) {
    const std::string_view word = cursor.next();
    if (word == "{") break;
    if (word == ";") {
      bodies_.emplace(function, std::move(body));  // a declaration; what defines it may stand elsewhere
      return;
    }
    if (word.empty()) cursor.fail("expected '{' or ';' after " + function);
    if (word == ".maxntid" || word == ".reqntid") {
      body.most_threads = static_cast<uint32_t>(cursor.number());
      while (cursor.take(",")) body.most_threads *= static_cast<uint32_t>(cursor.number());
    }
  }
  body.begin = cursor.at();
  body.line = cursor.line();
  cursor.skip_braces();
  const auto known = bodies_.find(function);
  if (known != bodies_.end() && known->second.begin != 0) cursor.fail(function + " is defined twice");
  bodies_[function] = std::move(body);
}

void Module::read_variable(Cursor& cursor, Space space) {
  Declared made = read_declaration(cursor);
  if (space == Space::shared) {
    cursor.expect(";");
    shared_[made.name] = made;
    return;
  }
  auto variable = std::make_unique<Variable>();
  variable->name = made.name;
  variable->space = space;
  variable->bytes = made.bytes;
  variable->storage.resize((made.bytes + 7) / 8 + 1);
  if (cursor.take("=")) {
    const bool list = cursor.take("{");
    size_t at = 0;
    do {
      const bool negative = cursor.take("-");
      const std::string word(cursor.next());
      uint64_t bits = 0;
      if (word.size() > 2 && word[0] == '0' &&
          (word[1] == 'f' || word[1] == 'd' || word[1] == 'F' || word[1] == 'D')) {
        bits = std::stoull(word.substr(2), nullptr, 16);
      } else {
        bits = static_cast<uint64_t>(cursor.number_of(word, negative));
      }
      if (at + made.type.bytes > made.bytes) cursor.fail("more values than " + made.name + " has elements");
      std::memcpy(variable->begin() + at, &bits, made.type.bytes);
      at += made.type.bytes;
    } while (cursor.take(","));
    if (list) cursor.expect("}");
  }
  cursor.expect(";");
  variables_.push_back(std::move(variable));
}

Module::Module(std::string file, std::string text) : file_(std::move(file)), text_(std::move(text)) {
  Cursor cursor(file_, text_);
  while (!cursor.done()) {
    const std::string_view word = cursor.next();
    if (word == ".version") {
      cursor.next();
    } else if (word == ".target" || word == ".file" || word == ".loc") {
      cursor.skip_line();
    } else if (word == ".address_size") {
      if (cursor.number() != 64) cursor.fail("expected addresses of 64 bits");
    } else if (word == ".section") {
      cursor.next();
      cursor.expect("{");
      cursor.skip_braces();
    } else if (word == ".entry" || word == ".func") {
      read_function(cursor, word == ".entry");
    } else if (word == ".shared") {
      read_variable(cursor, Space::shared);
    } else if (word == ".global") {
      read_variable(cursor, Space::global);
    } else if (word == ".const") {
      read_variable(cursor, Space::constant);
    } else if (word != ".visible" && word != ".weak" && word != ".extern") {
      cursor.fail("a directive that is not known: '" + std::string(word) + "'");
    }
  }
}

Module::~Module() = default;

std::unique_ptr<Module> Module::read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw ParseError(path + ": cannot be read");
  std::ostringstream all;
  all << file.rdbuf();
  std::string text = all.str();
  return std::make_unique<Module>(path.substr(path.rfind('/') + 1), std::move(text));
}

std::vector<std::string> Module::entries() const {
  std::vector<std::string> names;
  for (const auto& [function, body] : bodies_) {
    if (body.entry && body.begin != 0) names.push_back(function);
  }
  return names;
}

const Program& Module::program(const std::string& entry) {
  std::scoped_lock lock(mutex_);
  std::unique_ptr<Program>& known = programs_[entry];
  if (known == nullptr) known = Decoder(*this, entry).decode();
  return *known;
}

}  // namespace duel::ptx
