#include "duel/kernels/base/error.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace duel {

void AnyError::leaves_layer(const void* layer, const std::string& name, const std::string& description) {
  if (layer_ == nullptr) {
    description_ = description;
  } else if (!name.empty()) {
    path_ = path_.empty() ? name : name + "." + path_;
  }
  layer_ = layer;
  text_ = std::runtime_error::what() + ("; in " + path_) + (path_.empty() ? "" : ": ") + description_;
}

InternalError::InternalError(const std::string& message, SourceLocation where)
    : AnyError("internal error in Duel (please report): " + message + " at " + where.file_name() + ":" +
                   std::to_string(where.line()),
               where) {}

namespace detail {

std::string fill_in(std::string_view pattern, const Shown* values, size_t count) {
  std::string out;
  size_t next = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '{' && i + 1 < pattern.size() && pattern[i + 1] == '}' && next < count) {
      out += values[next++].text();
      ++i;
    } else {
      out += pattern[i];
    }
  }
  return out;
}

void throw_error(std::string_view op, std::string_view pattern, const Shown* values, size_t count) {
  throw Error("[" + std::string(op) + "] " + fill_in(pattern, values, count));
}

void throw_system(int code, std::string_view op, std::string_view pattern, const Shown* values,
                  size_t count) {
  const std::string message = "[" + std::string(op) + "] " + fill_in(pattern, values, count);
  constexpr int named_wrongly[] = {ENOENT, ENOTDIR, EISDIR, EACCES, EPERM, EEXIST,  ENOTEMPTY, ENAMETOOLONG,
                                   ELOOP,  EROFS,   ENXIO,  ENODEV, EBUSY, ETXTBSY, EINVAL};
  if (std::find(std::begin(named_wrongly), std::end(named_wrongly), code) != std::end(named_wrongly))
    throw Error(message);
  throw Failure(message);
}

}  // namespace detail
}  // namespace duel
