// From the text of an entry to instructions: see module.h.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cursor.h"
#include "lane_ops.h"

namespace duel::ptx {

class Decoder {
 public:
  Decoder(Module& module, const std::string& entry);
  std::unique_ptr<Program> decode();

 private:
  struct Register {
    Type type;
    Operand at;
  };
  /// %r<10> is one row: `first` stands for %r0.
  struct Range {
    Register first;
    uint32_t count = 0;  // 0: one register, without a number
  };
  /// An operand as it is written.
  struct Raw {
    enum { word, vector, address } kind = word;
    bool negated = false;                 // !%p1
    std::string_view text;                // of a word; of an address its base, "" for none
    std::string_view second;              // of %p1|%p2
    std::vector<std::string_view> words;  // of {%r1, %r2}
    int64_t offset = 0;                   // of an address; of a number its value
    bool is_number = false;
  };
  struct Statement {
    std::string_view opcode;
    std::vector<std::string_view> parts;
    std::vector<Raw> operands;
  };
  struct Fixup {
    size_t at;
    std::string_view label;
    uint32_t line;
  };

  // decoder.cpp: texts, registers, symbols, operands.
  void function(const std::string& name, const Body& body);
  void block(Cursor& cursor);
  void declare_registers(Cursor& cursor);
  void declare_parameter(const Declared& declared);
  void statement(Cursor& cursor, std::string_view first);
  Raw raw_operand(Cursor& cursor);
  Register new_register(Type type);
  const Register* find_register(std::string_view name);
  Register named_register(std::string_view name);
  bool symbol(std::string_view name, uint64_t& value);
  Operand constant(uint64_t bits, Type type);
  Operand source(const Raw& raw, Type type);
  Operand destination(std::string_view name, Type type);
  uint64_t immediate(const Raw& raw);
  void address(const Raw& raw, Instruction& made);
  /// `made`: what else the instruction is.
  Instruction& emit(Run run, Sort sort, const Instruction& made = {});
  void move(const Register& to, const Register& from);
  void need(const Statement& s, size_t count);
  [[noreturn]] void fail(const std::string& what) const;

  // opcodes.cpp: what each opcode becomes.
  void decode(const Statement& s);
  void decode_lanes(const Statement& s, const LaneOp& op);
  void resize(const Register& to, const Register& from, std::string_view by);
  void decode_setp(const Statement& s);
  void decode_pack(const Statement& s);
  void decode_memory(const Statement& s);
  void decode_parameter(const Statement& s);
  void decode_change(const Statement& s);
  void decode_barrier(const Statement& s);
  void decode_warp(const Statement& s);
  void decode_address_conversion(const Statement& s);
  void decode_multiply(const Statement& s);
  void decode_copy(const Statement& s);
  void decode_branch(const Statement& s);
  void decode_call(Cursor& cursor, std::string_view opcode);

  Module& module_;
  std::string entry_;
  std::unique_ptr<Program> program_;
  std::map<std::pair<uint64_t, uint8_t>, Operand> constants_;
  std::map<std::string, uint64_t, std::less<>> shared_at_, local_at_;
  std::map<Special, Register> specials_;

  // Of the function that is being decoded.
  std::string function_;
  std::vector<std::map<std::string, Range, std::less<>>> scopes_;
  std::map<std::string_view, uint32_t> labels_;
  std::vector<Fixup> fixups_;

  // Of the statement.
  uint32_t line_ = 0;
  std::string_view text_;
  bool guarded_ = false, guard_negated_ = false;
  Operand guard_;

  struct Callee {
    uint32_t begin = 0;
    bool decoded = false;
    std::vector<Register> parameters, results;
  };
  std::map<std::string, Callee, std::less<>> callees_;
  std::vector<std::string> to_decode_;
  std::vector<std::pair<size_t, std::string>> calls_;  // instruction, function
};

}  // namespace duel::ptx
