// Buffers, schedules and the comparison of orders.
#include <algorithm>

#include "engine.h"
#include "host_runtime.h"

namespace duel::simt {
namespace {

constexpr size_t kGuard = 256;
constexpr size_t kAlignment = 256;  // as cudaMalloc's
constexpr unsigned char kGuardByte = 0xA5, kPoison = 0xFF;

Schedule current_schedule;
std::vector<const void*> launched;  // kernels of the run in progress, each once

std::string called(const Region& region) {
  static constexpr const char* kRoles[] = {"input", "output", "in-out buffer", "scratch buffer",
                                           "device memory"};
  return kRoles[static_cast<int>(region.role())] + (region.name().empty() ? "" : " '" + region.name() + "'");
}

std::string hex(const unsigned char* bytes, size_t count) {
  std::string text = "0x";
  for (size_t k = std::min<size_t>(count, 16); k-- > 0;) {
    text += "0123456789abcdef"[bytes[k] >> 4];
    text += "0123456789abcdef"[bytes[k] & 15];
  }
  return text;
}

std::string launched_kernels() {
  std::vector<uintptr_t> entries;
  for (const void* kernel : launched) entries.push_back(reinterpret_cast<uintptr_t>(kernel));
  std::string names;
  for (const Place& place : symbolize(entries, true)) names += (names.empty() ? "" : "; ") + place.function;
  return names;
}

[[noreturn]] void fail(Fault fault, const std::string& what) {
  const std::string kernels = launched_kernels();
  Failure failure(fault, std::string(name(fault)) + ": " + what + " [" + to_text(current_schedule) + "; " +
                             (kernels.empty() ? "no kernel" : kernels) + "]");
  failure.kernel = kernels;
  throw failure;
}

}  // namespace

const Schedule& schedule() { return current_schedule; }

std::string to_text(const Schedule& schedule) {
  if (schedule.order == Order::shuffled) return "order shuffled, seed " + std::to_string(schedule.seed);
  return schedule.order == Order::forward ? "order forward" : "order reversed";
}

void note_launch(const void* kernel) {
  if (std::find(launched.begin(), launched.end(), kernel) == launched.end()) launched.push_back(kernel);
}

Region::Region(Role role, size_t bytes, size_t element, std::string name)
    : role_(role), bytes_(bytes), element_(element), name_(std::move(name)), written_(bytes) {
  begin_ = storage_.data();
  add_region(this);
}

Region::Region(unsigned char* begin, size_t bytes)
    : role_(Role::device), bytes_(bytes), element_(1), written_(bytes), begin_(begin) {
  add_region(this);
}

Region::~Region() { remove_region(this); }

std::vector<std::pair<unsigned char*, std::vector<unsigned char>>> write_device_memory() {
  std::vector<std::pair<unsigned char*, std::vector<unsigned char>>> small;
  for (Region* region : regions()) {
    if (region->role() != Role::device) continue;
    std::memset(region->flags(), 1, region->bytes());
    if (region->bytes() <= 64 * 1024) small.emplace_back(region->begin(), region->copy());
  }
  return small;
}

void Region::reset(int shift) {
  if (role_ == Role::device) return;
  const size_t offset = role_ == Role::scratch ? 0 : static_cast<size_t>(shift) * element_;
  remove_region(this);
  storage_.assign(2 * kGuard + kAlignment + offset + bytes_, kGuardByte);
  const auto start = reinterpret_cast<uintptr_t>(storage_.data()) + kGuard;
  begin_ = reinterpret_cast<unsigned char*>((start + kAlignment - 1) / kAlignment * kAlignment + offset);
  add_region(this);
  if (initial_.empty()) {
    std::fill_n(begin_, bytes_, kPoison);
  } else {
    std::copy(initial_.begin(), initial_.end(), begin_);
  }
  std::fill(written_.begin(), written_.end(), 0);
}

void Region::check() const {
  const unsigned char* end = storage_.data() + storage_.size();
  for (const unsigned char* p = storage_.data(); p < end; ++p) {
    if (p == begin_) p += bytes_;
    if (p < end && *p != kGuardByte) {
      const auto away = p < begin_ ? begin_ - p : p - (begin_ + bytes_);
      fail(Fault::guard_overwritten, "a byte " + std::to_string(away) + " bytes " +
                                         (p < begin_ ? "before the beginning" : "past the end") + " of " +
                                         called(*this) + " has changed");
    }
  }
  if (role_ == Role::in && !std::equal(initial_.begin(), initial_.end(), begin_)) {
    fail(Fault::write_to_input, called(*this) + " has changed");
  }
  if (role_ != Role::out) return;
  const auto missing = std::find(written_.begin(), written_.end(), 0);
  if (missing != written_.end()) {
    const size_t element = static_cast<size_t>(missing - written_.begin()) / element_;
    fail(Fault::unwritten_output, "element " + std::to_string(element) + " of " + called(*this) + " of " +
                                      std::to_string(bytes_ / element_) + " elements was not written");
  }
}

void run_in_order(const Schedule& schedule, const std::function<void()>& work, int shift) {
  struct Restore {
    Schedule before = current_schedule;
    ~Restore() {
      watch_host(false);
      current_schedule = before;
    }
  } restore;
  current_schedule = schedule;
  launched.clear();
  for (Region* region : std::vector<Region*>(regions())) region->reset(shift);
  watch_host(true);
  work();
  watch_host(false);
  uintptr_t pc = 0;
  std::string what;
  if (host_touched(pc, what)) {
    const Place place = symbolize({pc}).front();
    fail(Fault::host_access, "host code at " + place.where + " touches " + what);
  }
  for (const Region* region : regions()) region->check();
}

void run_all_orders(const std::function<void()>& work, const RunOptions& options) {
  std::vector<Schedule> schedules = {{Order::forward, 0, 1}, {Order::reverse, 0, 1}};
  for (int k = 1; k <= options.shuffles; ++k) {
    schedules.push_back({Order::shuffled, static_cast<uint64_t>(k), 2});
  }
  // By identity: the order of addresses changes from run to run.
  std::vector<Region*> compared;
  for (Region* region : regions()) {
    if (region->role() == Role::out || region->role() == Role::in_out) compared.push_back(region);
  }
  std::vector<std::vector<unsigned char>> first;
  for (const Schedule& each : schedules) {
    run_in_order(each, work, options.shift);
    if (first.empty()) {
      for (const Region* region : compared) first.push_back(region->copy());
      continue;
    }
    for (size_t k = 0; k < compared.size(); ++k) {
      const Region& region = *compared[k];
      const auto differ = std::mismatch(first[k].begin(), first[k].end(), region.begin()).first;
      if (differ == first[k].end()) continue;
      const size_t element = static_cast<size_t>(differ - first[k].begin()) / region.element();
      const size_t at = element * region.element();
      fail(Fault::order_dependence, "element " + std::to_string(element) + " of " + called(region) + " is " +
                                        hex(first[k].data() + at, region.element()) +
                                        " in order forward and " +
                                        hex(region.begin() + at, region.element()) + " in " + to_text(each));
    }
  }
}

kernels::Stream stream() {
  static unsigned* const tickets = [] {
    constexpr size_t kBytes = kernels::kTickets * sizeof(unsigned);
    void* zeros = nullptr;
    cudaMalloc(&zeros, kBytes);
    cudaMemsetAsync(zeros, 0, kBytes, nullptr);
    return static_cast<unsigned*>(zeros);
  }();
  return kernels::Stream::device(nullptr, tickets);
}

}  // namespace duel::simt
