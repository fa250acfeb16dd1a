// Errors of the whole house. Two families, so that a caller can tell its own mistake from ours.
//
//   duel::Error          the user asked for something impossible: bad shape, bad file, bad flag
//   duel::Failure        one of them: what was asked for was right, but failed on the way: a full disk, a failed read
//   duel::InternalError  a promise inside Duel was broken: report it
//
// Example:
//   DUEL_CHECK(x.rank() == 2, "matmul", "expected a matrix, got shape {}", x.shape());
// throws Error with the text "[matmul] expected a matrix, got shape [2, 3, 4]". {} takes anything that has an
// overload of to_text(), numbers, or what converts to std::string_view. Messages are one line of characters
// that can be seen, whatever was put in (text.h, Note [Text from outside]).
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "duel/kernels/base/source_location.h"
#include "duel/kernels/base/text.h"

namespace duel {

/// Base of both families. what() is one line for people; where() names the throwing source line.
class AnyError : public std::runtime_error {
 public:
  AnyError(const std::string& message, SourceLocation where)
      : std::runtime_error(shown(message, 4000)), where_(where) {}
  const char* what() const noexcept override {
    return text_.empty() ? std::runtime_error::what() : text_.c_str();
  }
  const SourceLocation& where() const { return where_; }

  /// The error leaves a layer on its way to the caller: what() names the innermost one, by its description,
  /// and the path to it from the outermost, "…; in 1.0: Linear(…)". `name` is that of layer() in this one, ""
  /// where it has none.
  void leaves_layer(const void* layer, const std::string& name, const std::string& description);
  /// The outermost layer that it left so far.
  const void* layer() const { return layer_; }

 private:
  SourceLocation where_;
  const void* layer_ = nullptr;
  std::string path_, description_, text_;
};

/// The user's mistake. The message says what was wrong, where, and what would be right.
class Error : public AnyError {
 public:
  explicit Error(const std::string& message, SourceLocation where = SourceLocation::current())
      : AnyError(message, where) {}
};

/// Nobody's mistake: what was asked for could be done, and the system failed while it was (a full disk, a
/// device that does not answer). The same call may succeed later.
class Failure : public Error {
 public:
  explicit Failure(const std::string& message, SourceLocation where = SourceLocation::current())
      : Error(message, where) {}
};

/// Memory that the device has not got. A smaller batch or smaller networks are the way out.
class OutOfMemory : public Error {
 public:
  explicit OutOfMemory(const std::string& message, SourceLocation where = SourceLocation::current())
      : Error(message, where) {}
};

/// A bug in Duel: the message also carries file and line.
class InternalError : public AnyError {
 public:
  explicit InternalError(const std::string& message, SourceLocation where = SourceLocation::current());
};

namespace detail {

template <class T>
concept HasToText = requires(const T& value) {
  to_text(value);
};

template <class T>
std::string text_of(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_convertible_v<T, std::string_view>) {
    return std::string(std::string_view(value));
  } else if constexpr (HasToText<T>) {
    return to_text(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    return shortest(value);
  } else {
    return std::to_string(value);
  }
}

/// An argument of a message and how it is said: what a place that fails leaves behind is a few addresses, not the
/// making of its texts.
class Shown {
 public:
  template <class T>
  explicit Shown(const T& value)
      : value_(std::addressof(value)),
        text_([](const void* p) { return text_of(*static_cast<const T*>(p)); }) {}
  template <size_t N>
  explicit Shown(const char (&text)[N])
      : value_(text), text_([](const void* p) { return std::string(static_cast<const char*>(p)); }) {}
  std::string text() const { return text_(value_); }

 private:
  const void* value_;
  std::string (*text_)(const void*);
};

std::string fill_in(std::string_view pattern, const Shown* values, size_t count);
[[noreturn]] void throw_error(std::string_view op, std::string_view pattern, const Shown* values,
                              size_t count);
[[noreturn]] void throw_system(int code, std::string_view op, std::string_view pattern, const Shown* values,
                               size_t count);

}  // namespace detail

/// Replaces each {} of `pattern` by the text of the next argument.
template <class... Args>
std::string message(std::string_view pattern, const Args&... args) {
  const detail::Shown values[] = {detail::Shown(args)..., detail::Shown("")};
  return detail::fill_in(pattern, values, sizeof...(Args));
}

/// Throws Error("[op] …").
template <class... Args>
[[noreturn]] void fail(std::string_view op, std::string_view pattern, const Args&... args) {
  const detail::Shown values[] = {detail::Shown(args)..., detail::Shown("")};
  detail::throw_error(op, pattern, values, sizeof...(Args));
}

/// Throws for a system call that failed with `code` (an errno): Error where what the caller named cannot be
/// had (no such file, no permission), Failure where the system is at fault.
template <class... Args>
[[noreturn]] void fail_system(int code, std::string_view op, std::string_view pattern, const Args&... args) {
  const detail::Shown values[] = {detail::Shown(args)..., detail::Shown("")};
  detail::throw_system(code, op, pattern, values, sizeof...(Args));
}

}  // namespace duel

#define DUEL_CHECK(condition, op, ...)                 \
  do {                                                 \
    if (!(condition)) ::duel::fail((op), __VA_ARGS__); \
  } while (false)

#define DUEL_ASSERT(condition)                                                      \
  do {                                                                              \
    if (!(condition)) throw ::duel::InternalError("broken invariant: " #condition); \
  } while (false)
