// Small PTX texts for the interpreter's own tests: run on arrays, or one by one.
#pragma once

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "tests/ptx/executor.h"

namespace duel::ptx::testing {

inline std::string header() { return ".version 8.0\n.target sm_90\n.address_size 64\n"; }

/// An entry `k` with `parameters` pointers p0, p1, …, already in %q0, %q1, …; %i0 is the thread in the grid. Registers by type:
/// %p predicates, %h 16, %r 32, %f f32, %d f64, %q 64 bits.
inline std::string entry(const std::string& body, int parameters = 1, const std::string& before = "",
                         const std::string& directives = "") {
  std::string text = header() + before + ".visible .entry k(";
  for (int k = 0; k < parameters; ++k) text += (k > 0 ? ", " : "") + (".param .u64 p" + std::to_string(k));
  text += ")" + directives +
          "{\n.reg .pred %p<20>;\n.reg .b16 %h<20>;\n.reg .b32 %r<40>, %i<4>;\n"
          ".reg .f32 %f<20>;\n.reg .f64 %d<20>;\n.reg .b64 %q<40>;\n";
  for (int k = 0; k < parameters; ++k) {
    text += "ld.param.u64 %q" + std::to_string(k) + ", [p" + std::to_string(k) + "];\n";
  }
  return text +
         "mov.u32 %i0, %ctaid.x;\nmov.u32 %i1, %ntid.x;\nmov.u32 %i2, %tid.x;\nmad.lo.u32 %i0, %i0, %i1, %i2;\n" +
         body + "\nret;\n}\n";
}

struct Shape {
  dim3 grid{1}, block{32};
  size_t shared_bytes = 0;
};

inline void run(const std::string& text, const std::vector<const void*>& pointers, const Shape& shape = {},
                uint64_t most = uint64_t{1} << 20) {
  Module module("text.ptx", text);
  Executor executor;
  executor.most_instructions = most;
  std::vector<unsigned char> parameters(pointers.size() * sizeof(void*));
  if (!pointers.empty()) std::memcpy(parameters.data(), pointers.data(), parameters.size());
  std::vector<uint64_t> order(uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z);
  std::iota(order.begin(), order.end(), uint64_t{0});
  executor.run(module.program("k"), "k", parameters, shape.grid, shape.block, shape.shared_bytes, order);
}

/// The failure of a run; a Fault that cannot be (host_access) with no text if there was none.
inline simt::Failure failure_of(const std::string& text, const std::vector<const void*>& pointers,
                                const Shape& shape = {}, uint64_t most = uint64_t{1} << 20) {
  try {
    run(text, pointers, shape, most);
  } catch (const simt::Failure& failure) {
    return failure;
  }
  return simt::Failure(simt::Fault::host_access, "no failure");
}

/// Letters and bytes of a C++ type in the texts.
template <class T>
struct Named {
  static constexpr bool kReal = std::is_floating_point_v<T>;
  static std::string memory() {
    return (kReal ? "f" : std::is_signed_v<T> ? "s" : "u") + std::to_string(8 * sizeof(T));
  }
  static std::string registers() {
    return kReal ? (sizeof(T) == 4 ? "%f" : "%d") : sizeof(T) == 8 ? "%q1" : sizeof(T) == 4 ? "%r1" : "%h1";
  }
};

/// Applies an instruction element by element: `op` with d, a, b, c in place of $d, $a, $b, $c.
template <class R, class... A>
std::vector<R> apply(const std::string& op, const std::vector<A>&... inputs) {
  const size_t n = std::max({inputs.size()...});
  std::string body;
  std::string instruction = op;
  const auto replace = [&](const std::string& name, const std::string& by) {
    for (size_t at; (at = instruction.find(name)) != std::string::npos;)
      instruction.replace(at, name.size(), by);
  };
  int k = 1;
  const auto load = [&]<class T>(const std::vector<T>&) {
    const std::string number = std::to_string(k), name = Named<T>::registers() + number;
    body += "mul.wide.u32 %q30, %i0, " + std::to_string(sizeof(T)) + ";\nadd.u64 %q30, %q" + number +
            ", %q30;\n" + "ld.global." + Named<T>::memory() + " " + name + ", [%q30];\n";
    replace(k == 1 ? "$a" : k == 2 ? "$b" : "$c", name);
    ++k;
  };
  (load(inputs), ...);
  replace("$d", Named<R>::registers() + "9");
  body += instruction + "\nmul.wide.u32 %q30, %i0, " + std::to_string(sizeof(R)) +
          ";\nadd.u64 %q30, %q0, %q30;\nst.global." + Named<R>::memory() + " [%q30], " +
          Named<R>::registers() + "9;";
  simt::Out<R> out(static_cast<int64_t>(n));
  const auto buffers = std::make_tuple(std::make_unique<simt::In<A>>(inputs)...);
  std::vector<const void*> pointers = {out.data()};
  std::apply([&](const auto&... each) { (pointers.push_back(each->data()), ...); }, buffers);
  Shape shape;
  shape.grid = dim3(static_cast<unsigned>(n));
  shape.block = dim3(1);
  if (n % 32 == 0) {
    shape.grid = dim3(static_cast<unsigned>(n / 32));
    shape.block = dim3(32);
  }
  run(entry(body, static_cast<int>(sizeof...(A)) + 1), pointers, shape);
  return out.values();
}

/// All pairs, or triples, of some values as columns.
template <class T>
struct Pairs {
  std::vector<T> a, b, c;
};
template <class T>
Pairs<T> pairs(const std::vector<T>& values) {
  Pairs<T> made;
  for (const T x : values) {
    for (const T y : values) {
      made.a.push_back(x);
      made.b.push_back(y);
    }
  }
  while (made.a.size() % 32 != 0) {  // whole warps
    made.a.push_back(values[0]);
    made.b.push_back(values[0]);
  }
  return made;
}
template <class T>
Pairs<T> triples(const std::vector<T>& values) {
  Pairs<T> made;
  for (const T x : values) {
    for (const T y : values) {
      for (const T z : values) {
        made.a.push_back(x);
        made.b.push_back(y);
        made.c.push_back(z);
      }
    }
  }
  return made;
}

}  // namespace duel::ptx::testing
