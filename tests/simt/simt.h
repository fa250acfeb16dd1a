// The SIMT harness as tests use it: memory that kernels may touch, runs in every order, failures with a
// diagnosis.
//
// A kernel test gives the launcher simt::stream() and buffers of a declared role. run_all_orders starts it
// with lanes and blocks forward, reversed and shuffled; outputs and scratch memory are poisoned before each
// run, and all runs must leave the same bits. Anything wrong is a simt::Failure that names kernel, block,
// thread and source line. What is checked and what cannot be: README.md.
//
// Example:
//   simt::In<float> x(values);
//   simt::Out<float> y(n);
//   simt::run_all_orders([&] { activation(simt::stream(), n, x.data(), y.data(), Relu{}); });
//   EXPECT_EQ(y.values(), expected);
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "duel/kernels/base/platform.h"
#include "vector_types.h"

namespace duel::simt {

/// For launchers: the device that is this harness, with tickets. Without them: kernels::Stream::device(nullptr).
kernels::Stream stream();

enum class Fault {
  race,               ///< two threads touch shared memory, one of them writes, no barrier between them
  uninitialised,      ///< memory is read that nothing has been written to
  out_of_bounds,      ///< an address that belongs to no buffer of this launch
  misaligned,         ///< an address that is no multiple of the type's alignment
  write_to_input,     ///< a store to a buffer declared as In
  divergent_barrier,  ///< threads of a block meet at different barriers
  skipped_barrier,    ///< some threads wait at a barrier, others have ended
  divergent_warp_op,  ///< lanes of one mask meet at different operations, or with different masks
  lane_not_in_mask,   ///< a lane calls an operation whose mask does not name it
  exited_lane,        ///< a mask names a lane that has ended or never existed
  bad_source_lane,    ///< a shuffle reads a lane that its mask does not name, or has a bad width
  deadlock,           ///< no thread of a block can run, or a thread spins on what nobody changes
  bad_launch,         ///< a configuration that a device refuses
  order_dependence,   ///< another order of lanes and blocks gives other bits
  unwritten_output,   ///< an element of an Out buffer was not written
  guard_overwritten,  ///< bytes beside a buffer changed, unseen by the checks above
  host_access,        ///< a launcher touched device memory on the host
  stack_overflow,     ///< more than 64 KB of local memory
  crash,              ///< a memory fault outside the code that is watched
};
const char* name(Fault fault);

struct Failure : std::runtime_error {
  Failure(Fault kind, const std::string& what) : std::runtime_error(what), fault(kind) {}
  Fault fault;
  std::string kernel;  ///< "void duel::kernels::(anonymous namespace)::map_kernel<…>(…)"
  bool in_thread = false;
  uint3 block{}, thread{};
  std::string site;  ///< "kernels/base/map.cuh:26", then the calls that led there
};

enum class Order { forward, reverse, shuffled };

/// How the next launches run. With one OS thread, blocks run one after the other, in order.
struct Schedule {
  Order order = Order::forward;
  uint64_t seed = 0;
  int os_threads = 1;
};
std::string to_text(const Schedule& schedule);

struct RunOptions {
  int shuffles = 3;  ///< runs with shuffled order, on two OS threads each
  int shift = 0;     ///< buffers other than Scratch begin that many elements after a 256-byte boundary
};

enum class Role { in, out, in_out, scratch, device };

/// Memory that kernels may touch, between guard bytes. Kernels see it from construction to destruction.
class Region {
 public:
  Region(Role role, size_t bytes, size_t element, std::string name);
  /// Memory that the harness's CUDA runtime gave out (host_runtime.h): runs neither reset nor compare it.
  Region(unsigned char* begin, size_t bytes);
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  Role role() const { return role_; }
  const std::string& name() const { return name_; }
  unsigned char* begin() const { return begin_; }
  size_t bytes() const { return bytes_; }
  size_t element() const { return element_; }

  void set_initial(const void* from) { initial_.assign(bytes_of(from), bytes_of(from) + bytes_); }
  /// As before a run: initial values or poison; guards in place; `shift` elements after a boundary.
  void reset(int shift);
  /// A Failure when guards or, for Out, elements are not as they must be after a run.
  void check() const;
  std::vector<unsigned char> copy() const { return {begin_, begin_ + bytes_}; }

  /// The one flag per byte that says whether it holds a value.
  unsigned char* flags() { return written_.data(); }

 private:
  static const unsigned char* bytes_of(const void* p) { return static_cast<const unsigned char*>(p); }

  Role role_;
  size_t bytes_, element_;
  std::string name_;
  std::vector<unsigned char> initial_, written_;
  std::vector<unsigned char> storage_;
  unsigned char* begin_ = nullptr;
};

template <class T, Role role_value>
class Buffer : public Region {
 public:
  explicit Buffer(int64_t count,
                  std::string name = "") requires(role_value == Role::out || role_value == Role::scratch)
      : Region(role_value, static_cast<size_t>(count) * sizeof(T), sizeof(T), std::move(name)) {
    reset(0);
  }
  explicit Buffer(const std::vector<T>& values,
                  std::string name = "") requires(role_value == Role::in || role_value == Role::in_out)
      : Region(role_value, values.size() * sizeof(T), sizeof(T), std::move(name)) {
    set_initial(values.data());
    reset(0);
  }

  using Pointer = std::conditional_t<role_value == Role::in, const T*, T*>;
  /// Ask again in every run: it moves with RunOptions::shift.
  Pointer data() const { return reinterpret_cast<Pointer>(begin()); }
  int64_t size() const { return static_cast<int64_t>(bytes() / sizeof(T)); }
  std::vector<T> values() const { return {data(), data() + size()}; }
};

template <class T>
using In = Buffer<T, Role::in>;  ///< initialised, must not be written
template <class T>
using Out = Buffer<T, Role::out>;  ///< poisoned before each run; every element must be written
template <class T>
using InOut = Buffer<T, Role::in_out>;  ///< set to its first values before each run
template <class T>
using Scratch =
    Buffer<T, Role::scratch>;  ///< a workspace: poisoned; what it holds afterwards is not compared

/// Calls `work` once per order with all living buffers reset, and compares the Out and InOut buffers bit by
/// bit. Afterwards they hold the result. Throws Failure.
void run_all_orders(const std::function<void()>& work, const RunOptions& options = {});

/// One run in one order.
void run_in_order(const Schedule& schedule, const std::function<void()>& work, int shift = 0);

}  // namespace duel::simt
