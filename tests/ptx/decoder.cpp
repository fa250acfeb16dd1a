// Texts, registers, symbols and operands: see decoder.h.
#include "decoder.h"

#include <cstring>

namespace duel::ptx {
namespace {

uint8_t slot_of(Type type) { return type.kind == Kind::predicate ? 1 : type.bytes == 8 ? 8 : 4; }

const std::map<std::string_view, Special>& special_names() {
  static const std::map<std::string_view, Special> names = {{"%tid.x", Special::tid_x},
                                                            {"%tid.y", Special::tid_y},
                                                            {"%tid.z", Special::tid_z},
                                                            {"%ntid.x", Special::ntid_x},
                                                            {"%ntid.y", Special::ntid_y},
                                                            {"%ntid.z", Special::ntid_z},
                                                            {"%ctaid.x", Special::ctaid_x},
                                                            {"%ctaid.y", Special::ctaid_y},
                                                            {"%ctaid.z", Special::ctaid_z},
                                                            {"%nctaid.x", Special::nctaid_x},
                                                            {"%nctaid.y", Special::nctaid_y},
                                                            {"%nctaid.z", Special::nctaid_z},
                                                            {"%laneid", Special::laneid},
                                                            {"%warpid", Special::warpid},
                                                            {"%lanemask_eq", Special::lanemask_eq},
                                                            {"%lanemask_le", Special::lanemask_le},
                                                            {"%lanemask_lt", Special::lanemask_lt},
                                                            {"%lanemask_ge", Special::lanemask_ge},
                                                            {"%lanemask_gt", Special::lanemask_gt}};
  return names;
}

}  // namespace

Decoder::Decoder(Module& module, const std::string& entry) : module_(module), entry_(entry) {}

void Decoder::fail(const std::string& what) const {
  throw ParseError(module_.file_ + ":" + std::to_string(line_) + ": " + what);
}

std::unique_ptr<Program> Decoder::decode() {
  const auto found = module_.bodies_.find(entry_);
  if (found == module_.bodies_.end() || !found->second.entry || found->second.begin == 0) {
    fail("no entry of the name " + entry_);
  }
  const Body& body = found->second;
  program_ = std::make_unique<Program>();
  program_->name = entry_;
  program_->file = module_.file_;
  program_->variables = &module_.variables_;
  program_->most_threads = body.most_threads;
  for (const Declared& each : body.parameters) {
    const uint32_t at = (program_->parameter_bytes + each.alignment - 1) / each.alignment * each.alignment;
    program_->parameters.push_back({each.name, at, each.bytes});
    program_->parameter_bytes = at + each.bytes;
  }
  function(entry_, body);
  while (!to_decode_.empty()) {
    const std::string name = to_decode_.back();
    to_decode_.pop_back();
    Callee& callee = callees_[name];
    if (callee.decoded) continue;
    callee.decoded = true;
    callee.begin = static_cast<uint32_t>(program_->code.size());
    function(name, module_.bodies_.find(name)->second);
  }
  for (const auto& [at, name] : calls_) program_->code[at].target = callees_[name].begin;
  return std::move(program_);
}

void Decoder::function(const std::string& name, const Body& body) {
  function_ = name;
  scopes_.assign(1, {});
  labels_.clear();
  fixups_.clear();
  if (name != entry_) {
    const Callee& callee = callees_[name];
    for (size_t k = 0; k < body.parameters.size(); ++k) {
      scopes_[0][body.parameters[k].name] = {callee.parameters[k], 0};
    }
    for (size_t k = 0; k < body.results.size(); ++k)
      scopes_[0][body.results[k].name] = {callee.results[k], 0};
  }
  Cursor cursor(module_.file_, module_.text_, body.begin, body.line);
  block(cursor);
  line_ = cursor.line();
  text_ = "}";
  guarded_ = false;
  emit(Run::leave, Sort::branch);  // an end without ret
  for (const Fixup& each : fixups_) {
    const auto label = labels_.find(each.label);
    line_ = each.line;
    if (label == labels_.end()) fail("a label that is not there: " + std::string(each.label));
    program_->code[each.at].target = label->second;
  }
}

/// Statements up to the } of a { that has been taken.
void Decoder::block(Cursor& cursor) {
  for (;;) {
    const std::string_view word = cursor.next();
    line_ = cursor.line();
    if (word.empty()) fail("expected '}', got the end of the text");
    if (word == "}") return;
    if (word == "{") {
      scopes_.emplace_back();
      block(cursor);
      scopes_.pop_back();
    } else if (word == ".reg") {
      declare_registers(cursor);
    } else if (word == ".param") {
      declare_parameter(read_declaration(cursor));
      cursor.expect(";");
    } else if (word == ".shared" || word == ".local") {
      const Declared made = read_declaration(cursor);
      cursor.expect(";");
      if (word == ".local") {
        uint32_t& end = program_->local_bytes;
        end = (end + made.alignment - 1) / made.alignment * made.alignment;
        local_at_[made.name] = end;
        end += made.bytes;
      } else {
        module_.shared_[made.name] = made;
      }
    } else if (word == ".pragma") {
      while (cursor.next() != ";") {
      }
    } else if (word == ".loc") {
      cursor.skip_line();
    } else if (word[0] == '.') {
      fail("a directive that is not known: '" + std::string(word) + "'");
    } else if (cursor.peek() == ":") {
      cursor.next();
      if (!labels_.emplace(word, program_->code.size()).second) fail("a label twice: " + std::string(word));
    } else {
      statement(cursor, word);
    }
  }
}

void Decoder::declare_registers(Cursor& cursor) {
  const std::string_view name = cursor.next();
  const Type type = name.size() > 1 ? type_of(name.substr(1)) : Type{};
  if (type.kind == Kind::none) fail("a register of a type that is not known: '" + std::string(name) + "'");
  do {
    const std::string_view prefix = cursor.next();
    Range range;
    if (cursor.take("<")) {
      range.count = static_cast<uint32_t>(cursor.number());
      cursor.expect(">");
    }
    range.first = new_register(type);
    for (uint32_t k = 1; k < range.count; ++k) new_register(type);
    scopes_.back()[std::string(prefix)] = range;
  } while (cursor.take(","));
  cursor.expect(";");
}

/// What a call passes is kept in registers.
void Decoder::declare_parameter(const Declared& declared) {
  if (declared.bytes != declared.type.bytes) fail("an array is passed to a function: " + declared.name);
  scopes_.back()[declared.name] = {new_register(declared.type), 0};
}

Decoder::Register Decoder::new_register(Type type) {
  Register made{type, {}};
  uint32_t& end = program_->register_bytes;
  const uint32_t lane = slot_of(type);
  if (lane == 1) {
    made.at.offset = end;
    end += 4;
  } else {
    end = (end + 63) / 64 * 64;
    made.at.offset = end;
    end += 32 * lane;
  }
  made.at.number = program_->registers++;
  return made;
}

const Decoder::Register* Decoder::find_register(std::string_view name) {
  static thread_local Register found;
  std::string_view prefix = name;
  while (!prefix.empty() && prefix.back() >= '0' && prefix.back() <= '9') prefix.remove_suffix(1);
  for (size_t k = scopes_.size(); k-- > 0;) {
    if (const auto whole = scopes_[k].find(name); whole != scopes_[k].end() && whole->second.count == 0) {
      return &whole->second.first;
    }
    const auto range = scopes_[k].find(prefix);
    if (prefix.size() == name.size() || range == scopes_[k].end() || range->second.count == 0) continue;
    const auto index = static_cast<uint32_t>(std::stoul(std::string(name.substr(prefix.size()))));
    if (index >= range->second.count) continue;
    found = range->second.first;
    const uint32_t lane = slot_of(found.type);
    found.at.offset += index * (lane == 1 ? 4 : 32 * lane);
    found.at.number += index;
    return &found;
  }
  const auto special = special_names().find(name);
  if (special == special_names().end()) return nullptr;
  const auto known = specials_.find(special->second);
  if (known != specials_.end()) return &known->second;
  Register made = new_register({Kind::is_unsigned, 4});
  made.at.number = 0;
  program_->specials.emplace_back(special->second, made.at.offset);
  return &(specials_[special->second] = made);
}

Decoder::Register Decoder::named_register(std::string_view name) {
  const Register* found = find_register(name);
  if (found == nullptr) fail("a register that is not declared: '" + std::string(name) + "'");
  return *found;
}

/// The address that a symbol stands for, in the space where it is declared.
bool Decoder::symbol(std::string_view name, uint64_t& value) {
  if (function_ == entry_) {
    for (const Parameter& each : program_->parameters) {
      if (each.name != name) continue;
      value = each.offset;
      return true;
    }
  }
  if (const auto local = local_at_.find(name); local != local_at_.end()) {
    value = local->second;
    return true;
  }
  if (const auto known = shared_at_.find(name); known != shared_at_.end()) {
    value = known->second;
    return true;
  }
  if (const auto shared = module_.shared_.find(name); shared != module_.shared_.end()) {
    const Declared& declared = shared->second;
    if (declared.open) {
      value = kDynamicShared;
    } else {
      uint32_t begin = program_->shared.empty() ? 0 : program_->shared.back().second + kSharedGap;
      begin = (begin + declared.alignment - 1) / declared.alignment * declared.alignment;
      program_->shared.emplace_back(begin, begin + declared.bytes);
      program_->static_bytes += declared.bytes;
      value = begin;
    }
    shared_at_.emplace(name, value);
    return true;
  }
  for (const auto& variable : module_.variables_) {
    if (variable->name != name) continue;
    value = reinterpret_cast<uintptr_t>(variable->begin());
    return true;
  }
  return false;
}

Operand Decoder::constant(uint64_t bits, Type type) {
  const bool predicate = type.kind == Kind::predicate;
  const uint8_t lane = predicate ? 4 : slot_of(type);
  if (predicate) bits = bits != 0 ? 0xFFFFFFFFu : 0;
  if (lane == 4) bits &= 0xFFFFFFFFu;
  const auto known = constants_.find({bits, lane});
  if (known != constants_.end()) return known->second;
  program_->constants.push_back(std::make_unique<unsigned char[]>(32 * lane));
  unsigned char* begin = program_->constants.back().get();
  for (size_t k = 0; k < 32; ++k) std::memcpy(begin + k * lane, &bits, lane);
  return constants_[{bits, lane}] = {begin, 0, 0};
}

uint64_t Decoder::immediate(const Raw& raw) {
  if (raw.kind != Raw::word || !raw.is_number) fail("expected a number, got '" + std::string(raw.text) + "'");
  return static_cast<uint64_t>(raw.offset);
}

/// A register, a number or the address of a symbol, as an input of `type`.
Operand Decoder::source(const Raw& raw, Type type) {
  if (raw.kind != Raw::word) fail("expected one register or number");
  const std::string_view text = raw.text;
  if (raw.is_number) {
    const bool literal = text.size() > 2 && text[0] == '0' && (text[1] == 'f' || text[1] == 'd');
    if (literal) {
      const bool is_double = text[1] == 'd';
      if (type.bytes != (is_double ? 8 : 4)) fail("a literal of another width: '" + std::string(text) + "'");
    } else if (type.kind == Kind::is_float) {
      fail("an integer where a floating-point number is expected: '" + std::string(text) + "'");
    }
    return constant(static_cast<uint64_t>(raw.offset), type);
  }
  if (text == "WARP_SZ") return constant(32, type);
  if (const Register* found = find_register(text)) {
    if (slot_of(found->type) != slot_of(type))
      fail("a register of another width: '" + std::string(text) + "'");
    if (raw.negated) {
      if (type.kind != Kind::predicate)
        fail("a negation of what is no predicate: '" + std::string(text) + "'");
      const Register from = *found, to = new_register(type);
      Instruction& negation = emit(Run::lanes, Sort::integer);
      negation.function = lane_op("not.pred")->function;
      negation.inputs = 1;
      negation.in[0] = from.at;
      negation.out[0] = to.at;
      return to.at;
    }
    return found->at;
  }
  uint64_t value = 0;
  if (!symbol(text, value)) fail("neither a register nor a symbol: '" + std::string(text) + "'");
  return constant(value + static_cast<uint64_t>(raw.offset), type);
}

Operand Decoder::destination(std::string_view name, Type type) {
  if (name == "_") return new_register(type).at;
  const Register found = named_register(name);
  if (slot_of(found.type) != slot_of(type)) fail("a register of another width: '" + std::string(name) + "'");
  if (found.at.number == 0) fail("a special register is written to: '" + std::string(name) + "'");
  return found.at;
}

void Decoder::address(const Raw& raw, Instruction& made) {
  if (raw.kind != Raw::address) fail("expected an address in brackets");
  made.offset = raw.offset;
  if (raw.text.empty()) return;
  if (const Register* found = find_register(raw.text)) {
    made.address = found->at;
    made.address_slot = slot_of(found->type);
    if (made.address_slot == 1) fail("a predicate as an address");
    return;
  }
  uint64_t value = 0;
  if (!symbol(raw.text, value)) fail("neither a register nor a symbol: '" + std::string(raw.text) + "'");
  made.offset += static_cast<int64_t>(value);
}

Instruction& Decoder::emit(Run run, Sort sort, const Instruction& made) {
  Instruction& emitted = program_->code.emplace_back(made);
  program_->texts.push_back(text_);
  emitted.run = run;
  emitted.sort = sort;
  emitted.line = line_;
  emitted.guarded = guarded_;
  emitted.negated = guard_negated_;
  if (guarded_) emitted.guard = guard_;
  return emitted;
}

void Decoder::move(const Register& to, const Register& from) {
  if (slot_of(to.type) != slot_of(from.type)) fail("a parameter of another width");
  Instruction& made = emit(Run::lanes, Sort::move);
  made.function = lane_op(slot_of(to.type) == 8 ? "mov.b64" : "mov.b32")->function;
  made.inputs = 1;
  made.in[0] = from.at;
  made.out[0] = to.at;
}

Decoder::Raw Decoder::raw_operand(Cursor& cursor) {
  Raw raw;
  const auto signed_number = [&](bool negative, std::string_view word) {
    return cursor.number_of(std::string(word), negative);
  };
  std::string_view word = cursor.next();
  if (word == "{") {
    raw.kind = Raw::vector;
    do {
      raw.words.push_back(cursor.next());
    } while (cursor.take(","));
    cursor.expect("}");
    return raw;
  }
  if (word == "[") {
    raw.kind = Raw::address;
    word = cursor.next();
    const bool number = word == "-" || (word[0] >= '0' && word[0] <= '9');
    if (number) {
      raw.offset = word == "-" ? signed_number(true, cursor.next()) : signed_number(false, word);
    } else {
      raw.text = word;
    }
    while (cursor.take("+")) raw.offset += cursor.number();
    if (cursor.peek() == "-") raw.offset += cursor.number();
    cursor.expect("]");
    return raw;
  }
  if (word == "!") {
    raw.negated = true;
    word = cursor.next();
  }
  const bool negative = word == "-";
  if (negative) word = cursor.next();
  if (word.empty()) cursor.fail("expected an operand, got the end of the text");
  raw.text = word;
  if (word[0] >= '0' && word[0] <= '9') {
    raw.is_number = true;
    if (word.size() > 2 && word[0] == '0' && (word[1] == 'f' || word[1] == 'd')) {
      const size_t digits = word[1] == 'f' ? 8 : 16;
      if (word.size() != 2 + digits)
        fail("expected " + std::to_string(digits) + " digits: '" + std::string(word) + "'");
      raw.offset = static_cast<int64_t>(std::stoull(std::string(word.substr(2)), nullptr, 16));
    } else {
      raw.offset = signed_number(negative, word);
    }
    return raw;
  }
  if (cursor.take("|")) raw.second = cursor.next();
  if (cursor.take("+")) raw.offset = cursor.number();
  return raw;
}

void Decoder::statement(Cursor& cursor, std::string_view first) {
  const size_t begin = cursor.at() - first.size();
  guarded_ = guard_negated_ = false;
  // The text as messages show it: up to the semicolon.
  const size_t semicolon = module_.text_.find(';', begin);
  text_ = cursor.text(begin, semicolon == std::string::npos ? module_.text_.size() : semicolon + 1);
  std::string_view opcode = first;
  if (first == "@") {
    guard_negated_ = cursor.take("!");
    const Register guard = named_register(cursor.next());
    if (guard.type.kind != Kind::predicate) fail("a guard that is no predicate");
    guard_ = guard.at;
    guarded_ = true;
    opcode = cursor.next();
  }
  if (opcode == "call" || opcode == "call.uni") {
    decode_call(cursor, opcode);
    return;
  }
  Statement s;
  s.opcode = opcode;
  for (size_t at = 0; at <= opcode.size();) {
    const size_t dot = std::min(opcode.find('.', at), opcode.size());
    s.parts.push_back(opcode.substr(at, dot - at));
    at = dot + 1;
  }
  if (!cursor.take(";")) {
    do {
      s.operands.push_back(raw_operand(cursor));
    } while (cursor.take(","));
    cursor.expect(";");
  }
  decode(s);
}

void Decoder::need(const Statement& s, size_t count) {
  if (s.operands.size() != count) {
    fail(std::string(s.opcode) + ": expected " + std::to_string(count) + " operands, got " +
         std::to_string(s.operands.size()));
  }
}

}  // namespace duel::ptx
