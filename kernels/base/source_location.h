// What std::source_location is, for compilers that do not have it: clang has it from version 16 on.
#pragma once

namespace duel {

/// A line of source.
class SourceLocation {
 public:
  /// Of the caller, as a default argument.
  static constexpr SourceLocation current(const char* file = __builtin_FILE(),
                                          const char* function = __builtin_FUNCTION(),
                                          unsigned line = __builtin_LINE()) {
    return SourceLocation(file, function, line);
  }
  constexpr const char* file_name() const { return file_; }
  constexpr const char* function_name() const { return function_; }
  constexpr unsigned line() const { return line_; }

 private:
  constexpr SourceLocation(const char* file, const char* function, unsigned line)
      : file_(file), function_(function), line_(line) {}

  const char* file_;
  const char* function_;
  unsigned line_;
};

}  // namespace duel
