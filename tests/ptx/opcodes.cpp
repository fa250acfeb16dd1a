// What each opcode becomes: see decoder.h. What is not here is refused.
#include <algorithm>

#include "decoder.h"

namespace duel::ptx {
namespace {

constexpr Type kPredicate{Kind::predicate, 0}, kWord{Kind::bits, 4}, kLong{Kind::bits, 8};

/// Bytes of a lane of a register that holds this type in memory.
uint8_t slot_of(Type type) { return type.bytes == 8 ? 8 : 4; }

std::string joined(const std::vector<std::string_view>& parts, size_t from, size_t to) {
  std::string text;
  for (size_t k = from; k < to; ++k) text += (text.empty() ? "" : ".") + std::string(parts[k]);
  return text;
}

template <class Value>
bool one_of(std::string_view word, std::initializer_list<std::pair<std::string_view, Value>> rows,
            Value& value) {
  for (const auto& [name, meant] : rows) {
    if (name != word) continue;
    value = meant;
    return true;
  }
  return false;
}

}  // namespace

void Decoder::decode(const Statement& s) {
  const std::string_view base = s.parts[0];
  if (base == "mov" && s.operands.size() == 2 &&
      (s.operands[0].kind == Raw::vector || s.operands[1].kind == Raw::vector)) {
    return decode_pack(s);
  }
  const bool pair = !s.operands.empty() && !s.operands[0].second.empty();
  if (const LaneOp* op = lane_op(s.opcode); op != nullptr && !pair) return decode_lanes(s, *op);
  if (base == "setp") return decode_setp(s);
  if (base == "ld" || base == "st" || base == "ldu") return decode_memory(s);
  if (base == "atom" || base == "red") return decode_change(s);
  if (base == "bar" || base == "barrier") return decode_barrier(s);
  if (base == "shfl" || base == "vote" || base == "match" || base == "redux" || base == "activemask") {
    return decode_warp(s);
  }
  if (base == "mma") return decode_multiply(s);
  if (base == "cp") return decode_copy(s);
  if (base == "cvta") return decode_address_conversion(s);
  if (base == "bra") return decode_branch(s);
  if (s.opcode == "lop3.b32") {
    need(s, 5);
    const Operand to = destination(s.operands[0].text, kWord);
    Operand from[3];
    for (size_t k = 0; k < 3; ++k) from[k] = source(s.operands[k + 1], kWord);
    Instruction& made = emit(Run::lookup, Sort::integer);
    made.out[0] = to;
    std::copy(from, from + 3, made.in);
    made.inputs = 3;
    made.variant = static_cast<uint8_t>(immediate(s.operands[4]));
    return;
  }
  if (s.opcode == "bfi.b32" || s.opcode == "bfi.b64") {
    need(s, 5);
    const Type type = type_of(s.parts[1]);
    const Operand to = destination(s.operands[0].text, type);
    Operand from[4];
    for (size_t k = 0; k < 4; ++k) from[k] = source(s.operands[k + 1], k < 2 ? type : kWord);
    Instruction& made = emit(Run::insert, Sort::integer);
    made.type = type;
    made.out[0] = to;
    std::copy(from, from + 4, made.in);
    made.inputs = 4;
    return;
  }
  if (s.opcode == "ret" || s.opcode == "ret.uni" || s.opcode == "exit") {
    need(s, 0);
    emit(Run::leave, Sort::branch).variant = s.opcode == "exit" ? 1 : 0;
    return;
  }
  if (s.opcode == "trap" || s.opcode == "brkpt") {
    need(s, 0);
    emit(Run::trap, Sort::branch);
    return;
  }
  if (s.opcode == "griddepcontrol.wait") {
    need(s, 0);
    program_->waits_for_grids = true;
    emit(Run::wait_for_grids, Sort::barrier);
    return;
  }
  if (s.opcode == "griddepcontrol.launch_dependents") {
    need(s, 0);
    emit(Run::fence, Sort::barrier);  // what starts then has to wait
    return;
  }
  if (base == "membar" || base == "fence") {
    emit(Run::fence, Sort::barrier);
    return;
  }
  fail("an opcode that is not known: " + std::string(s.opcode));
}

void Decoder::decode_lanes(const Statement& s, const LaneOp& op) {
  need(s, static_cast<size_t>(op.inputs) + 1);
  Operand from[3];
  for (int k = 0; k < op.inputs; ++k) {
    const Raw& raw = s.operands[static_cast<size_t>(k) + 1];
    const Register* found = raw.kind == Raw::word && !raw.is_number ? find_register(raw.text) : nullptr;
    if (s.parts[0] == "cvt" && found != nullptr && found->type.bytes == 8 && op.input[k].bytes < 8) {
      const Register whole = *found, low = new_register(kWord);  // cvt may read a part of a wider register
      resize(low, whole, "cvt.u32.u64");
      from[k] = low.at;
    } else {
      from[k] = source(raw, op.input[k]);
    }
  }
  const Operand to = destination(s.operands[0].text, op.result);
  Instruction& made = emit(Run::lanes, op.sort);
  made.function = op.function;
  made.inputs = static_cast<uint8_t>(op.inputs);
  std::copy(from, from + 3, made.in);
  made.out[0] = to;
}

void Decoder::resize(const Register& to, const Register& from, std::string_view by) {
  Instruction& made = emit(Run::lanes, Sort::convert);
  made.function = lane_op(by)->function;
  made.inputs = 1;
  made.in[0] = from.at;
  made.out[0] = to.at;
}

/// setp.CMP.BOOL{.ftz}.TYPE p|q, a, b, c: p = (a CMP b) BOOL c, q = !(a CMP b) BOOL c.
void Decoder::decode_setp(const Statement& s) {
  std::string_view logic;
  std::string plain;
  for (const std::string_view part : s.parts) {
    if (part == "and" || part == "or" || part == "xor") {
      logic = part;
    } else {
      plain += (plain.empty() ? "" : ".") + std::string(part);
    }
  }
  const LaneOp* op = lane_op(plain);
  if (op == nullptr) fail("an opcode that is not known: " + std::string(s.opcode));
  need(s, logic.empty() ? 3 : 4);
  const Register compared = new_register(kPredicate);
  const Operand from[2] = {source(s.operands[1], op->input[0]), source(s.operands[2], op->input[1])};
  Operand with;
  if (!logic.empty()) with = source(s.operands[3], kPredicate);
  Instruction& comparison = emit(Run::lanes, Sort::compare);
  comparison.function = op->function;
  comparison.inputs = 2;
  std::copy(from, from + 2, comparison.in);
  comparison.out[0] = compared.at;
  for (const bool second : {false, true}) {
    const std::string_view name = second ? s.operands[0].second : s.operands[0].text;
    if (name.empty()) continue;
    Operand value = compared.at;
    if (second) {
      value = new_register(kPredicate).at;
      Instruction& negation = emit(Run::lanes, Sort::integer);
      negation.function = lane_op("not.pred")->function;
      negation.inputs = 1;
      negation.in[0] = compared.at;
      negation.out[0] = value;
    }
    const Operand to = destination(name, kPredicate);
    Instruction& made = emit(Run::lanes, logic.empty() ? Sort::move : Sort::integer);
    made.function = lane_op(logic.empty() ? "mov.pred" : std::string(logic) + ".pred")->function;
    made.inputs = logic.empty() ? 1 : 2;
    made.in[0] = value;
    made.in[1] = with;
    made.out[0] = to;
  }
}

/// mov between a register and the registers that hold its parts.
void Decoder::decode_pack(const Statement& s) {
  const bool packs = s.operands[1].kind == Raw::vector;
  const Raw &parts = s.operands[packs ? 1 : 0], &whole = s.operands[packs ? 0 : 1];
  const Type type = s.parts.size() == 2 ? type_of(s.parts[1]) : Type{};
  const size_t count = parts.words.size();
  if (type.kind != Kind::bits || whole.kind != Raw::word || (count != 2 && count != 4) ||
      type.bytes / count < 2) {
    fail("a vector that " + std::string(s.opcode) + " does not take");
  }
  const Type part{Kind::bits, static_cast<uint8_t>(type.bytes / count)};
  Operand many[4];
  for (size_t k = 0; k < count; ++k) {
    if (packs) {
      Raw each;
      each.text = parts.words[k];
      const char first = each.text.empty() ? ' ' : each.text[0];
      each.is_number = first >= '0' && first <= '9';
      if (each.is_number) each.offset = static_cast<int64_t>(std::stoull(std::string(each.text), nullptr, 0));
      many[k] = source(each, part);
    } else {
      many[k] = destination(parts.words[k], part);
    }
  }
  const Operand one = packs ? destination(whole.text, type) : source(whole, type);
  Instruction& made = emit(packs ? Run::pack : Run::unpack, Sort::move);
  made.type = type;
  made.width = static_cast<uint8_t>(count);
  made.inputs = packs ? made.width : 1;
  std::copy(many, many + count, packs ? made.in : made.out);
  (packs ? made.out : made.in)[0] = one;
}

void Decoder::decode_memory(const Statement& s) {
  need(s, 2);
  const bool loads = s.parts[0] != "st";
  Instruction made;
  made.width = 1;
  made.type = type_of(s.parts.back());
  if (made.type.kind == Kind::none || made.type.kind == Kind::predicate)
    fail("memory of a type that is not known");

  for (size_t k = 1; k + 1 < s.parts.size(); ++k) {
    const std::string_view part = s.parts[k];
    if (one_of(part,
               {{"global", Space::global},
                {"shared", Space::shared},
                {"local", Space::local},
                {"const", Space::constant},
                {"param", Space::parameter}},
               made.space)) {
      continue;
    }
    if (part == "v2" || part == "v4") {
      made.width = part == "v2" ? 2 : 4;
      continue;
    }
    static constexpr std::string_view kHints[] = {"nc",
                                                  "volatile",
                                                  "relaxed",
                                                  "acquire",
                                                  "release",
                                                  "weak",
                                                  "cta",
                                                  "gpu",
                                                  "sys",
                                                  "ca",
                                                  "cg",
                                                  "cs",
                                                  "lu",
                                                  "cv",
                                                  "wb",
                                                  "wt",
                                                  "L1::no_allocate",
                                                  "L1::evict_last",
                                                  "L1::evict_first",
                                                  "L2::128B",
                                                  "L2::256B",
                                                  "L2::64B"};
    const bool hint = std::find(std::begin(kHints), std::end(kHints), part) != std::end(kHints);
    if (!hint) fail("an opcode that is not known: " + std::string(s.opcode));
  }
  if (made.type.bytes * made.width > 16) fail("a vector of more than 16 bytes");
  const Raw &registers = s.operands[loads ? 0 : 1], &place = s.operands[loads ? 1 : 0];
  if (made.space == Space::parameter &&
      (!loads || (function_ != entry_) || find_register(place.text) != nullptr)) {
    const Register* found = find_register(place.text);
    const bool passed = found != nullptr && !place.text.empty() && place.text[0] != '%';
    if (passed || !loads || function_ != entry_) return decode_parameter(s);
  }
  address(place, made);
  std::vector<std::string_view> names = registers.words;
  if (registers.kind == Raw::word) names.assign(1, registers.text);
  if (names.size() != made.width) fail("another number of registers than the vector has");
  for (size_t k = 0; k < names.size(); ++k) {
    const Register* found = find_register(names[k]);
    Type type = found != nullptr ? found->type : made.type;
    if (found != nullptr && (found->type.kind == Kind::predicate || found->type.bytes < made.type.bytes)) {
      fail("a register that is narrower than what it takes: '" + std::string(names[k]) + "'");
    }
    if (k > 0 && slot_of(type) != made.slot) fail("registers of different widths");
    made.slot = slot_of(type);
    if (loads) {
      made.out[k] = destination(names[k], type);
    } else {
      Raw each;
      if (registers.kind == Raw::word) each = registers;
      each.text = names[k];
      if (found == nullptr && registers.kind == Raw::vector) {
        each.is_number = true;
        each.offset = static_cast<int64_t>(names[k][0] == '0' && names[k].size() > 2 &&
                                                   (names[k][1] == 'f' || names[k][1] == 'd')
                                               ? std::stoull(std::string(names[k].substr(2)), nullptr, 16)
                                               : std::stoull(std::string(names[k]), nullptr, 0));
      }
      made.in[k] = source(each, type);
    }
  }
  made.inputs = loads ? 0 : made.width;
  const bool from_parameter = made.space == Space::parameter;
  const Run run = from_parameter ? Run::load_parameter : loads ? Run::load : Run::store;
  emit(run, from_parameter ? Sort::move : loads ? Sort::load : Sort::store, made);
}

/// ld.param and st.param of what a call passes.
void Decoder::decode_parameter(const Statement& s) {
  const bool loads = s.parts[0] == "ld";
  const Raw &value = s.operands[loads ? 0 : 1], &place = s.operands[loads ? 1 : 0];
  const Type type = type_of(s.parts.back());
  if (s.parts.size() != 3 || value.kind != Raw::word || place.offset != 0)
    fail("a part of a passed parameter");
  const Register passed = named_register(place.text);
  if (passed.type.bytes != type.bytes)
    fail("a parameter of another width: '" + std::string(place.text) + "'");
  if (loads) {
    const Register to{type, destination(value.text, type)};
    move(to, passed);
  } else {
    const Register from{type, source(value, type)};
    move(passed, from);
  }
}

void Decoder::decode_change(const Statement& s) {
  const bool wants = s.parts[0] == "atom";
  Instruction made;
  made.type = type_of(s.parts.back());
  bool known = false;
  for (size_t k = 1; k + 1 < s.parts.size(); ++k) {
    const std::string_view part = s.parts[k];
    Change change{};
    if (one_of(part, {{"global", Space::global}, {"shared", Space::shared}}, made.space)) continue;
    if (part == "relaxed" || part == "acquire" || part == "release" || part == "acq_rel" || part == "cta" ||
        part == "gpu" || part == "sys") {
      continue;
    }
    if (known || !one_of(part,
                         {{"add", Change::add},
                          {"min", Change::min},
                          {"max", Change::max},
                          {"and", Change::bit_and},
                          {"or", Change::bit_or},
                          {"xor", Change::bit_xor},
                          {"exch", Change::exchange},
                          {"cas", Change::compare},
                          {"inc", Change::increment},
                          {"dec", Change::decrement}},
                         change)) {
      fail("an opcode that is not known: " + std::string(s.opcode));
    }
    made.variant = static_cast<uint8_t>(change);
    known = true;
  }
  const auto change = static_cast<Change>(made.variant);
  const bool sums = change == Change::add || change == Change::exchange;
  if (!known || made.type.bytes < 4 || (made.type.kind == Kind::is_float && !sums)) {
    fail("an opcode that is not known: " + std::string(s.opcode));
  }
  made.inputs = change == Change::compare ? 2 : 1;
  need(s, (wants ? 2u : 1u) + made.inputs);
  made.slot = slot_of(made.type);
  if (wants) made.out[0] = destination(s.operands[0].text, made.type);
  address(s.operands[wants ? 1 : 0], made);
  for (size_t k = 0; k < made.inputs; ++k) made.in[k] = source(s.operands[(wants ? 2 : 1) + k], made.type);
  made.wants_result = wants;
  emit(Run::atomic, Sort::atomic, made);
}

void Decoder::decode_barrier(const Statement& s) {
  std::vector<std::string_view> parts;
  for (const std::string_view part : s.parts) {
    if (part != "cta" && part != "aligned") parts.push_back(part);
  }
  const std::string plain = joined(parts, 1, parts.size());
  if (plain == "warp.sync") {
    need(s, 1);
    const Operand mask = source(s.operands[0], kWord);
    Instruction& made = emit(Run::warp_barrier, Sort::barrier);
    made.in[0] = mask;
    made.inputs = 1;
    return;
  }
  const auto whole_block = [&](const Raw& raw) {
    if (immediate(raw) != 0) fail("barriers other than number 0 are not provided");
  };
  if (plain == "sync") {
    if (s.operands.size() != 1) fail("barriers of a part of the block are not provided");
    whole_block(s.operands[0]);
    emit(Run::barrier, Sort::barrier);
    return;
  }
  Barrier kind{};
  if (!one_of(
          plain,
          {{"red.popc.u32", Barrier::count}, {"red.and.pred", Barrier::all}, {"red.or.pred", Barrier::any}},
          kind)) {
    fail("an opcode that is not known: " + std::string(s.opcode));
  }
  need(s, 3);
  whole_block(s.operands[1]);
  const Operand to = destination(s.operands[0].text, kind == Barrier::count ? kWord : kPredicate);
  const Operand from = source(s.operands[2], kPredicate);
  Instruction& made = emit(Run::barrier, Sort::barrier);
  made.variant = static_cast<uint8_t>(kind);
  made.out[0] = to;
  made.in[0] = from;
  made.inputs = 1;
}

void Decoder::decode_warp(const Statement& s) {
  const std::string_view base = s.parts[0];
  const auto unknown = [&] { fail("an opcode that is not known: " + std::string(s.opcode)); };
  Instruction made;
  made.slot = 4;
  const auto finish = [&](Run run) {
    Instruction& emitted = emit(run, Sort::shuffle);
    emitted.variant = made.variant;
    emitted.type = made.type;
    emitted.inputs = made.inputs;
    std::copy(made.in, made.in + 4, emitted.in);
    std::copy(made.out, made.out + 4, emitted.out);
  };
  if (base == "activemask") {
    if (s.opcode != "activemask.b32") unknown();
    need(s, 1);
    made.out[0] = destination(s.operands[0].text, kWord);
    return finish(Run::active_mask);
  }
  if (base == "shfl") {
    Shuffle kind{};
    if (s.parts.size() != 4 || s.parts[1] != "sync" || s.parts[3] != "b32" ||
        !one_of(s.parts[2],
                {{"idx", Shuffle::index},
                 {"up", Shuffle::up},
                 {"down", Shuffle::down},
                 {"bfly", Shuffle::exclusive_or}},
                kind)) {
      unknown();
    }
    need(s, 5);
    made.variant = static_cast<uint8_t>(kind);
    made.out[0] = destination(s.operands[0].text, kWord);
    made.out[1] = s.operands[0].second.empty() ? new_register(kPredicate).at
                                               : destination(s.operands[0].second, kPredicate);
    // The mask comes first in all operations of a warp.
    made.in[0] = source(s.operands[4], kWord);
    for (size_t k = 1; k < 4; ++k) made.in[k] = source(s.operands[k], kWord);
    made.inputs = 4;
    return finish(Run::shuffle);
  }
  need(s, 3);
  made.in[0] = source(s.operands[2], kWord);
  made.inputs = 2;
  if (base == "vote") {
    Vote kind{};
    const std::string_view type = s.parts.back();
    if (s.parts.size() != 4 || s.parts[1] != "sync" ||
        !one_of(s.parts[2],
                {{"ballot", Vote::ballot}, {"any", Vote::any}, {"all", Vote::all}, {"uni", Vote::uniform}},
                kind) ||
        type != (kind == Vote::ballot ? "b32" : "pred")) {
      unknown();
    }
    made.variant = static_cast<uint8_t>(kind);
    made.out[0] = destination(s.operands[0].text, kind == Vote::ballot ? kWord : kPredicate);
    made.in[1] = source(s.operands[1], kPredicate);
    return finish(Run::vote);
  }
  if (base == "match") {
    made.type = type_of(s.parts.back());
    if (s.parts.size() != 4 || s.parts[1] != "any" || s.parts[2] != "sync" || made.type.kind != Kind::bits ||
        made.type.bytes < 4) {
      unknown();
    }
    made.out[0] = destination(s.operands[0].text, kWord);
    made.in[1] = source(s.operands[1], made.type);
    return finish(Run::match);
  }
  Change kind{};
  made.type = type_of(s.parts.back());
  if (s.parts.size() != 4 || s.parts[1] != "sync" || made.type.bytes != 4 ||
      made.type.kind == Kind::is_float ||
      !one_of(s.parts[2],
              {{"add", Change::add},
               {"min", Change::min},
               {"max", Change::max},
               {"and", Change::bit_and},
               {"or", Change::bit_or},
               {"xor", Change::bit_xor}},
              kind)) {
    unknown();
  }
  made.variant = static_cast<uint8_t>(kind);
  made.out[0] = destination(s.operands[0].text, kWord);
  made.in[1] = source(s.operands[1], kWord);
  finish(Run::reduce);
}

/// Addresses of global memory are the same in the generic space; those of shared and local memory are moved there.
void Decoder::decode_address_conversion(const Statement& s) {
  need(s, 2);
  const bool back = s.parts.size() > 1 && s.parts[1] == "to";
  const std::string_view space = s.parts.size() > 2 ? s.parts[back ? 2 : 1] : std::string_view{};
  uint64_t window = 0;
  if (s.parts.size() != (back ? 4u : 3u) || s.parts.back() != "u64" ||
      !one_of(space,
              {{"global", uint64_t{0}},
               {"const", uint64_t{0}},
               {"shared", uint64_t{kSharedWindow}},
               {"local", uint64_t{kLocalWindow}}},
              window)) {
    fail("an opcode that is not known: " + std::string(s.opcode));
  }
  const Operand to = destination(s.operands[0].text, kLong), from = source(s.operands[1], kLong);
  Instruction& made = emit(Run::lanes, window == 0 ? Sort::move : Sort::integer);
  made.function = lane_op(window == 0 ? "mov.b64" : back ? "sub.u64" : "add.u64")->function;
  made.inputs = window == 0 ? 1 : 2;
  made.in[0] = from;
  if (window != 0) made.in[1] = constant(window, kLong);
  made.out[0] = to;
}

void Decoder::decode_branch(const Statement& s) {
  need(s, 1);
  if (s.parts.size() > 2 || (s.parts.size() == 2 && s.parts[1] != "uni")) {
    fail("an opcode that is not known: " + std::string(s.opcode));
  }
  emit(Run::branch, Sort::branch);
  fixups_.push_back({program_->code.size() - 1, s.operands[0].text, line_});
}

/// call.uni (result), function, (arguments): values are moved to the function's registers and back.
void Decoder::decode_call(Cursor& cursor, std::string_view) {
  const auto list = [&] {
    std::vector<std::string_view> names;
    while (!cursor.take(")")) {
      if (!names.empty()) cursor.expect(",");
      names.push_back(cursor.next());
    }
    return names;
  };
  std::vector<std::string_view> results, arguments;
  if (cursor.take("(")) {
    results = list();
    cursor.expect(",");
  }
  const std::string name(cursor.next());
  if (cursor.take(",")) {
    cursor.expect("(");
    arguments = list();
  }
  cursor.expect(";");
  const auto found = module_.bodies_.find(name);
  if (found == module_.bodies_.end() || found->second.begin == 0)
    fail("a function that the module lacks: " + name);
  const Body& body = found->second;
  if (body.parameters.size() != arguments.size() || body.results.size() != results.size()) {
    fail("another number of parameters than " + name + " has");
  }
  Callee& callee = callees_[name];
  if (callee.parameters.empty() && callee.results.empty()) {
    for (const Declared& each : body.parameters) {
      if (each.bytes != each.type.bytes) fail("an array is passed to a function: " + each.name);
      callee.parameters.push_back(new_register(each.type));
    }
    for (const Declared& each : body.results) callee.results.push_back(new_register(each.type));
  }
  to_decode_.push_back(name);
  for (size_t k = 0; k < arguments.size(); ++k) move(callee.parameters[k], named_register(arguments[k]));
  emit(Run::call, Sort::branch);
  calls_.emplace_back(program_->code.size() - 1, name);
  for (size_t k = 0; k < results.size(); ++k) move(named_register(results[k]), callee.results[k]);
}

}  // namespace duel::ptx
