// An environment variable for the length of a test, and what a stand-in library has been told (fake_*.cpp).
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/kernels/buffer.h"

namespace duel::kernels {

class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old, had_ = true;
    value.empty() ? unsetenv(name) : setenv(name, value.c_str(), 1);
  }
  ~Environment() { had_ ? setenv(name_, old_.c_str(), 1) : unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::string old_;
  bool had_ = false;
};

class Fake {
 public:
  explicit Fake(const char* path) : handle_(dlopen(path, RTLD_LAZY | RTLD_LOCAL)) { forget(); }
  ~Fake() {
    if (handle_) dlclose(handle_);
  }
  Fake(const Fake&) = delete;
  Fake& operator=(const Fake&) = delete;
  bool built() const { return find("fake_calls") != nullptr; }  // its header was there
  std::string calls() const { return reinterpret_cast<const char* (*)()>(find("fake_calls"))(); }
  void forget() const {
    if (void* f = find("fake_forget")) reinterpret_cast<void (*)()>(f)();
  }
  int count(const std::string& call) const {
    int n = 0;
    const std::string all = calls();
    for (size_t at = all.find(call); at != std::string::npos; at = all.find(call, at + 1)) ++n;
    return n;
  }

 private:
  void* find(const char* name) const { return handle_ ? dlsym(handle_, name) : nullptr; }
  void* handle_;
};

// 16-byte aligned copies, as a device has them.
template <class T>
struct Aligned {
  explicit Aligned(const std::vector<T>& values) : space((values.size() + 1) * sizeof(T)) {
    begin = static_cast<T*>(space.data());
    std::copy(values.begin(), values.end(), begin);
  }
  T* data() const { return begin; }
  Workspace space;
  T* begin = nullptr;
};

}  // namespace duel::kernels
