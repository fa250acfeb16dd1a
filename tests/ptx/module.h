// What the parser makes of PTX: instructions whose modifiers, registers, symbols and labels are resolved. A module is
// the text of one .ptx file; its entries are decoded when they are first asked for.
//
// Note [Registers]
// A warp holds its registers as arrays of 32 lanes: 4 bytes a lane for types of up to 32 bits, 8 for those of 64, one bit
// for a predicate. Every register has a number, under which a warp keeps the lanes that have written to it. Constants are
// arrays of 32 equal lanes that belong to the program. Functions that are called (libdevice's) have registers of their
// own in the caller's file: there is no recursion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace duel::ptx {

/// The text is wrong, or says what the interpreter does not know: "FILE:LINE: what".
struct ParseError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Kind : uint8_t { none, predicate, bits, is_unsigned, is_signed, is_float };
struct Type {
  Kind kind = Kind::none;
  uint8_t bytes = 0;  ///< 0 for predicates
  bool operator==(const Type&) const = default;
};
/// "u32" to a type; kind none if it is no type.
Type type_of(std::string_view name);

/// Where 32 lanes of a value are: in the program (a constant) or in the warp's registers.
struct Operand {
  const unsigned char* constant = nullptr;
  uint32_t offset = 0;  ///< in the warp's registers
  uint32_t number = 0;  ///< 0 is always defined
};

/// All lanes of `mask`, at once. Predicates are words of 32 bits.
using LaneFunction = void (*)(void* d, const void* a, const void* b, const void* c, uint32_t mask);

/// How an instruction runs.
enum class Run : uint8_t {
  lanes,   ///< a function of its operands
  lookup,  ///< lop3: lanes with a table
  insert,  ///< bfi
  pack,
  unpack,
  load,
  store,
  load_parameter,
  atomic,
  barrier,
  warp_barrier,
  shuffle,
  vote,
  match,
  reduce,
  multiply,    ///< mma
  copy_async,  ///< cp.async
  end_group,
  wait_for_copies,
  wait_for_grids,  ///< griddepcontrol.wait
  active_mask,
  fence,
  branch,
  call,
  leave,  ///< ret and exit
  trap,
};

/// What it is counted as: counts.h.
enum class Sort : uint8_t {
  f32,
  f64,
  special,  ///< divisions, roots and approximate functions
  integer,
  compare,
  convert,
  move,
  load,
  store,
  atomic,
  branch,
  barrier,
  shuffle,  ///< and other operations of a warp
  tensor,   ///< products of tensor cores
  copy,     ///< from global to shared memory
  last,
};
const char* name(Sort sort);

enum class Space : uint8_t { generic, global, shared, local, constant, parameter };

enum class Shuffle : uint8_t { index, up, down, exclusive_or };
enum class Vote : uint8_t { ballot, any, all, uniform };
enum class Change : uint8_t {
  add,
  min,
  max,
  bit_and,
  bit_or,
  bit_xor,
  exchange,
  compare,
  increment,
  decrement
};
enum class Barrier : uint8_t { plain, count, all, any };

struct Instruction {
  Run run = Run::lanes;
  Sort sort = Sort::move;
  bool guarded = false, negated = false;  ///< by `guard`
  bool wants_result = true;               ///< atom, not red
  Space space = Space::generic;
  uint8_t inputs = 0, width = 1;  ///< width: registers of a vector
  uint8_t variant = 0;            ///< of a warp operation, a change, a barrier; lop3's table
  Type type;                      ///< of memory and of what is changed
  uint8_t slot = 4;               ///< bytes of a lane of the registers of a load, store or change
  uint8_t address_slot = 0;       ///< of the address; 0: `offset` alone
  uint32_t line = 0;
  uint32_t target = 0;  ///< of a branch or call; which factors; of wait_group how many groups may be left
  int64_t offset = 0;   ///< of an address
  LaneFunction function = nullptr;
  Operand guard;
  Operand out[4];
  Operand in[4];
  Operand address;  ///< base of an address
};

enum class Special : uint8_t {
  tid_x,
  tid_y,
  tid_z,
  ntid_x,
  ntid_y,
  ntid_z,
  ctaid_x,
  ctaid_y,
  ctaid_z,
  nctaid_x,
  nctaid_y,
  nctaid_z,
  laneid,
  warpid,
  lanemask_eq,
  lanemask_le,
  lanemask_lt,
  lanemask_ge,
  lanemask_gt
};

struct Parameter {
  std::string name;
  uint32_t offset = 0, bytes = 0;
};

/// Memory of a module that outlives a launch: .global and .const arrays.
struct Variable {
  std::string name;
  Space space{};
  std::vector<uint64_t> storage;
  size_t bytes = 0;
  unsigned char* begin() { return reinterpret_cast<unsigned char*>(storage.data()); }
};

/// What an mma reads beside its Instruction, whose `target` is its number.
struct Factors {
  Operand a[4], b[2], c[4];
};

/// An entry and the functions that it calls, as instructions.
struct Program {
  std::string name, file;
  std::vector<Instruction> code;
  std::vector<Factors> factors;
  bool waits_for_grids = false;  ///< so it may start early, and touches global memory only behind that
  std::vector<Parameter> parameters;
  uint32_t parameter_bytes = 0;
  uint32_t register_bytes = 0, registers = 1;
  uint32_t static_bytes = 0;                          ///< of shared memory
  std::vector<std::pair<uint32_t, uint32_t>> shared;  ///< begin and end of every static variable
  uint32_t local_bytes = 0;
  uint32_t most_threads = 1024;                        ///< .maxntid
  std::vector<std::pair<Special, uint32_t>> specials;  ///< those that are read, and where a warp keeps them
  std::vector<std::unique_ptr<unsigned char[]>> constants;
  const std::vector<std::unique_ptr<Variable>>* variables = nullptr;
  std::vector<std::string_view> texts;  ///< of every instruction, in the module

  /// "activations.ptx:123: st.global.f32 [%rd5], %f3;"
  std::string place(uint32_t pc) const;
};

/// Between variables of static shared memory: what runs past one does not meet the next.
inline constexpr uint32_t kSharedGap = 256;
/// Where dynamic shared memory begins.
inline constexpr uint32_t kDynamicShared = 256 * 1024;
/// Where generic addresses of shared memory begin.
inline constexpr uint64_t kSharedWindow = uint64_t{0x7F5A} << 48;
inline constexpr uint64_t kLocalWindow = uint64_t{0x7F5B} << 48;

/// A variable of shared or local memory, or a parameter, as it is declared.
struct Declared {
  std::string name;
  Type type;
  uint32_t alignment = 1, bytes = 0;
  bool open = false;  ///< []: dynamic shared memory
};

/// An entry or a function that has not been decoded.
struct Body {
  bool entry = false;
  std::vector<Declared> results, parameters;
  size_t begin = 0;  ///< behind its {; 0: declared only
  uint32_t line = 0;
  uint32_t most_threads = 1024;
};

class Module {
 public:
  /// Finds what the module declares. `file` names it in messages. Throws ParseError.
  Module(std::string file, std::string text);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  static std::unique_ptr<Module> read(const std::string& path);

  const std::string& file() const { return file_; }
  std::vector<std::string> entries() const;
  /// Throws ParseError where the entry holds what is not known.
  const Program& program(const std::string& entry);

 private:
  friend class Decoder;
  void read_function(class Cursor& cursor, bool entry);
  void read_variable(class Cursor& cursor, Space space);

  std::string file_, text_;
  std::map<std::string, Body, std::less<>> bodies_;
  std::map<std::string, Declared, std::less<>> shared_;
  std::vector<std::unique_ptr<Variable>> variables_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Program>, std::less<>> programs_;
};

}  // namespace duel::ptx
