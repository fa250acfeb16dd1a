#include "duel/core/io/internal/json.h"

#include <cmath>
#include <unordered_set>
#include <vector>

#include "duel/kernels/base/error.h"

namespace duel::json {
namespace {

[[noreturn]] void refuse(const Rules& rules, const std::string& what) {
  fail(rules.op, "{}: {}{}", rules.source, what, rules.remedy.empty() ? "" : "; " + rules.remedy);
}

/// Takes the parser's events and builds the value. Keys are appended as they come: nlohmann's own way looks
/// through all earlier ones for each.
class Builder : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const Rules& rules) : rules_(rules) {}
  Json& result() { return root_; }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // no event of text

  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (open_.size() == 1 && rules_.check_key) rules_.check_key(name);
    if (!open_.back().keys.insert(name).second)
      refuse(rules_, message("key '{}' is there twice; leave one of them out", shown(name)));
    using Members = std::vector<std::pair<const std::string, Json>>;
    static_cast<Members&>(open_.back().value->get_ref<Json::object_t&>())
        .emplace_back(std::move(name), nullptr);
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    std::string why = error.what();  // "[json.exception.parse_error.101] parse error at line 3, column 5: …"
    if (const size_t end = why.find("] "); why.starts_with('[') && end != std::string::npos)
      why.erase(0, end + 2);
    refuse(rules_, "not JSON: " + shown(why, 300));
  }

 private:
  struct Open {
    Json* value;
    std::unordered_set<std::string> keys = {};  // of an object, so far
  };

  /// Where the next value belongs.
  Json* place(Json&& value) {
    if (open_.empty()) return &(root_ = std::move(value));
    Json& above = *open_.back().value;
    if (above.is_array()) return &above.get_ref<Json::array_t&>().emplace_back(std::move(value));
    return &(above.get_ref<Json::object_t&>().back().second = std::move(value));
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (std::ssize(open_) >= rules_.depth)
      refuse(rules_, message("not JSON as Duel writes it: lists and objects nested deeper than {} levels",
                             rules_.depth));
    open_.push_back({place(std::move(value))});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const Rules& rules_;
  Json root_;
  std::vector<Open> open_;
};

}  // namespace

Json parse(std::string_view text, const Rules& rules) {
  if (text.size() > rules.bytes)
    refuse(rules, message("longer than {} bytes, the most that is read as JSON here", rules.bytes));
  // The parser takes a zero byte for the end of the text.
  const size_t zero = text.find('\0');
  if (zero != std::string_view::npos) refuse(rules, message("not JSON: byte {} is zero", zero));
  Builder builder(rules);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder.result());
}

Json parse_or_null(std::string_view text, const Rules& rules) {
  try {
    return parse(text, rules);
  } catch (const Error&) {
    return nullptr;
  }
}

std::string described(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return value.is_string() ? in_quotes(value.get_ref<const std::string&>()) : dumped(value);
}

Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

std::string dumped(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace duel::json
