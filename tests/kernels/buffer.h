// What the tests of the numeric kernels share: noise, guarded outputs, workspaces, the rounding bound.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

namespace duel::kernels {

/// Values in [-1, 1), the same for the same key.
template <class T>
std::vector<T> noise(int64_t count, uint64_t key) {
  std::vector<T> values(static_cast<size_t>(count));
  uint64_t state = key * 0x9E3779B97F4A7C15ull + 1;
  for (T& value : values) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    value = static_cast<T>(static_cast<double>(state >> 40) / (1 << 23) - 1.0);
  }
  return values;
}

/// Error allowed for a sum of `terms` products, computed in T in any order, whose magnitudes add up to
/// `size`.
template <class T>
double rounding_bound(int64_t terms, double size) {
  const double unit = std::numeric_limits<T>::epsilon() / 2;
  return 4 * std::sqrt(static_cast<double>(terms) + 1) * unit * size + std::numeric_limits<T>::min();
}

/// An output array, NaN at first, with guard elements on both sides.
template <class T>
class Guarded {
 public:
  explicit Guarded(int64_t count)
      : count_(static_cast<size_t>(count)),
        values_(count_ + 2 * kGuard, std::numeric_limits<T>::quiet_NaN()) {
    for (size_t i = 0; i < kGuard; ++i) values_[i] = values_[kGuard + count_ + i] = kMark;
  }
  T* data() { return values_.data() + kGuard; }
  std::vector<T> copy() const { return {values_.begin() + kGuard, values_.end() - kGuard}; }
  bool guards_intact() const {
    for (size_t i = 0; i < kGuard; ++i) {
      if (values_[i] != kMark || values_[kGuard + count_ + i] != kMark) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 16;
  static constexpr T kMark = static_cast<T>(std::is_signed_v<T> ? -123.5 : 123.5);
  size_t count_;
  std::vector<T> values_;
};

/// A read-only copy that ends where the next page begins, which nobody may touch: reading past it is a crash.
template <class T>
class PageEnd {
 public:
  explicit PageEnd(const std::vector<T>& values) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), bytes = values.size() * sizeof(T);
    const size_t body = (bytes + page - 1) / page * page;
    size_ = body + page;
    base_ = static_cast<unsigned char*>(
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED) std::abort();
    data_ = reinterpret_cast<T*>(base_ + body - bytes);
    if (bytes > 0) std::memcpy(data_, values.data(), bytes);
    mprotect(base_ + body, page, PROT_NONE);
    if (body > 0) mprotect(base_, body, PROT_READ);
  }
  ~PageEnd() { munmap(base_, size_); }
  PageEnd(const PageEnd&) = delete;
  PageEnd& operator=(const PageEnd&) = delete;
  const T* data() const { return data_; }

 private:
  unsigned char* base_;
  T* data_;
  size_t size_;
};

/// A 64-byte aligned workspace of exactly that many bytes, filled with NaN, guarded behind.
class Workspace {
 public:
  explicit Workspace(size_t bytes) : bytes_(bytes), raw_(new unsigned char[bytes + 128]) {
    data_ = raw_.get() + (64 - reinterpret_cast<uintptr_t>(raw_.get()) % 64) % 64;
    std::memset(data_, 0xFF, bytes_ + 64);
  }
  ~Workspace() {
    for (size_t i = 0; i < 64; ++i) {
      if (data_[bytes_ + i] != 0xFF) std::abort();  // a write past the workspace
    }
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  void* data() { return bytes_ == 0 ? nullptr : data_; }

 private:
  size_t bytes_;
  std::unique_ptr<unsigned char[]> raw_;
  unsigned char* data_;
};

}  // namespace duel::kernels
