// Words of PTX text, one after the other.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "module.h"

namespace duel::ptx {

class Cursor {
 public:
  Cursor(const std::string& file, std::string_view text, size_t at = 0, uint32_t line = 1)
      : file_(file), text_(text), at_(at), line_(line) {}

  size_t at() const { return at_; }
  uint32_t line() const { return line_; }
  std::string_view text(size_t begin, size_t end) const { return text_.substr(begin, end - begin); }
  bool done() {
    skip();
    return at_ >= text_.size();
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw ParseError(file_ + ":" + std::to_string(line_) + ": " + what);
  }

  /// A word (a name, number, directive or opcode), a quoted text, or one character; "" at the end.
  std::string_view next() {
    skip();
    const size_t begin = at_;
    if (at_ >= text_.size()) return {};
    if (text_[at_] == '"') {
      do {
        ++at_;
      } while (at_ < text_.size() && text_[at_] != '"');
      ++at_;
    } else if (!in_word()) {
      ++at_;
    } else {
      while (in_word()) at_ += text_[at_] == ':' ? 2 : 1;
    }
    return text_.substr(begin, at_ - begin);
  }
  std::string_view peek() {
    const size_t at = at_;
    const uint32_t line = line_;
    const std::string_view word = next();
    at_ = at;
    line_ = line;
    return word;
  }
  bool take(std::string_view word) {
    if (peek() != word) return false;
    next();
    return true;
  }
  void expect(std::string_view word) {
    const std::string_view got = next();
    if (got != word) fail("expected '" + std::string(word) + "', got '" + std::string(got) + "'");
  }
  void skip_line() {
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }
  /// To behind the } of a { that has been taken. Most of a module is skipped: letter by letter, not by words.
  void skip_braces() {
    for (int depth = 1; depth > 0; ++at_) {
      if (at_ >= text_.size()) fail("expected '}', got the end of the text");
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '{') ++depth;
      if (c == '}') --depth;
      if (c == '/' && text_.compare(at_, 2, "//") == 0) {
        skip_line();
        --at_;
      }
    }
  }

  /// A decimal or hexadecimal number, with its sign.
  int64_t number() {
    const bool negative = take("-");
    const std::string word(next());
    return number_of(word, negative);
  }
  int64_t number_of(const std::string& word, bool negative) const {
    size_t used = 0;
    uint64_t value = 0;
    try {
      value = std::stoull(word, &used, 0);
    } catch (const std::exception&) {
    }
    if (used < word.size() && word[used] == 'U') ++used;
    if (used == 0 || used != word.size()) fail("expected a number, got '" + word + "'");
    return static_cast<int64_t>(negative ? 0 - value : value);
  }

 private:
  bool in_word() const {
    if (at_ >= text_.size()) return false;
    const char c = text_[at_];
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c == '%' || c == '.' || (c == ':' && at_ + 1 < text_.size() && text_[at_ + 1] == ':');
  }
  void skip() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
        ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++at_;
      } else if (text_.compare(at_, 2, "//") == 0) {
        skip_line();
      } else if (text_.compare(at_, 2, "/*") == 0) {
        for (at_ += 2; at_ < text_.size() && text_.compare(at_, 2, "*/") != 0; ++at_) {
          if (text_[at_] == '\n') ++line_;
        }
        at_ += 2;
      } else {
        return;
      }
    }
  }

  const std::string& file_;
  std::string_view text_;
  size_t at_;
  uint32_t line_;
};

/// ".param .align 8 .b8 name[24]" from behind its first word, up to the comma, bracket or semicolon.
Declared read_declaration(Cursor& cursor);

}  // namespace duel::ptx
