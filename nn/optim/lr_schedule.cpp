#include "duel/nn/optim/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <unordered_map>

namespace duel::nn {

LrRule step_rule(int64_t step_size, double gamma) {
  DUEL_CHECK(step_size >= 1 && gamma >= 0, "StepLR", "expected step_size >= 1 and gamma >= 0, got {} and {}",
             step_size, gamma);
  return [=](double base, int64_t step) {
    return base * std::pow(gamma, static_cast<double>(step / step_size));
  };
}

LrRule linear_rule(double start_factor, double end_factor, int64_t total_iters) {
  DUEL_CHECK(start_factor >= 0 && end_factor >= 0 && total_iters >= 1, "LinearLR",
             "expected factors >= 0 and total_iters >= 1, got {}, {} and {}", start_factor, end_factor,
             total_iters);
  return [=](double base, int64_t step) {
    const double part = static_cast<double>(std::min(step, total_iters)) / static_cast<double>(total_iters);
    return base * (start_factor + (end_factor - start_factor) * part);
  };
}

LrRule cosine_rule(int64_t T_max, double eta_min) {
  DUEL_CHECK(T_max >= 1 && eta_min >= 0, "CosineAnnealingLR",
             "expected T_max >= 1 and eta_min >= 0, got {} and {}", T_max, eta_min);
  return [=](double base, int64_t step) {
    const double angle = std::numbers::pi * static_cast<double>(step) / static_cast<double>(T_max);
    return eta_min + (base - eta_min) * (1 + std::cos(angle)) / 2;
  };
}

LrRule lambda_rule(std::function<double(int64_t)> lr_lambda) {
  DUEL_CHECK(lr_lambda, "LambdaLR", "expected a function, got none");
  return [f = std::move(lr_lambda)](double base, int64_t step) { return base * f(step); };
}

LrSchedule::LrSchedule(Optimizer& optimizer, LrRule rule) : optimizer_(optimizer), rule_(std::move(rule)) {
  DUEL_CHECK(rule_, "LrSchedule", "expected a rule, got none");
  bases_ = get_last_lr();
  set_rates(bases_, 0);
}

double LrSchedule::rate(double base, int64_t step) const {
  const double value = rule_(base, step);
  DUEL_CHECK(value >= 0 && std::isfinite(value), "LrSchedule",
             "expected a rule that gives a finite rate of at least 0, got {} for step {}", value, step);
  return value;
}

void LrSchedule::set_rates(const std::vector<double>& bases, int64_t step) {
  DUEL_CHECK(bases.size() == optimizer_.group_count(), "LrSchedule",
             "expected an optimizer of {} groups, got {}: add them before the schedule", bases.size(),
             optimizer_.group_count());
  std::vector<double> rates;
  for (const double base : bases) rates.push_back(rate(base, step));
  for (size_t group = 0; group < rates.size(); ++group) optimizer_.set_lr(rates[group], group);
}

void LrSchedule::step() {
  set_rates(bases_, last_epoch_ + 1);
  ++last_epoch_;
}

std::vector<double> LrSchedule::get_last_lr() const {
  std::vector<double> rates;
  for (size_t group = 0; group < optimizer_.group_count(); ++group) rates.push_back(optimizer_.lr(group));
  return rates;
}

StateDict LrSchedule::state_dict() const {
  return {{"last_epoch", Tensor::from({last_epoch_}, {})},
          {"base_lrs", Tensor::from(bases_, {static_cast<int64_t>(bases_.size())})}};
}

void LrSchedule::load_state_dict(const StateDict& state) {
  const std::unordered_map<std::string, Tensor> given(state.begin(), state.end());
  const StateDict mine = state_dict();
  bool fits = state.size() == mine.size();
  for (const auto& [name, tensor] : mine) {
    const auto found = given.find(name);
    fits = fits && found != given.end() && found->second.defined() &&
           found->second.shape() == tensor.shape() && found->second.dtype() == tensor.dtype();
  }
  DUEL_CHECK(
      fits, "load_state_dict",
      "expected a schedule's state, last_epoch i64 [] and base_lrs f64 [{}], got {} entries that do not fit",
      bases_.size(), state.size());
  const int64_t step = given.at("last_epoch").to_vector<int64_t>()[0];
  DUEL_CHECK(step >= 0, "load_state_dict", "last_epoch: expected at least 0, got {}", step);
  const std::vector<double> bases = given.at("base_lrs").to_vector<double>();
  set_rates(bases, step);
  bases_ = bases;
  last_epoch_ = step;
}

}  // namespace duel::nn
