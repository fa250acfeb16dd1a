// Deep copies of modules.
#include <typeinfo>
#include <unordered_map>

#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/core/tensor/random.h"
#include "duel/nn/module/module.h"

namespace duel::nn {
namespace {

using Made = std::unordered_map<const Module*, std::shared_ptr<Module>>;
/// The modules that the clone() on this thread has made so far.
thread_local Made* made = nullptr;

class Cloning {
 public:
  Cloning() : before_(made) { made = &all_; }
  ~Cloning() { made = before_; }
  Cloning(const Cloning&) = delete;

 private:
  Made all_;
  Made* before_;
};

/// Makes `target` what `source` is, in the storage that it has or in one of source's dtype and device.
void take(const Tensor& target, const Tensor& source) {
  if (target.dtype() != source.dtype() || target.device() != source.device()) {
    duel::detail::move_to_storage(target, Tensor::empty(source.shape(), source.options()), 0);
  }
  target.copy_(source);
  if (duel::detail::is_frozen(source)) Tensor(target).set_requires_grad(false);
}

}  // namespace

std::shared_ptr<Module> Module::make_like() const {
  fail("clone",
       "expected a module that overrides make_like(), for example: std::shared_ptr<nn::Module> "
       "make_like() const override { return std::make_shared<MyModule>(); } got {}",
       describe());
}

std::shared_ptr<Module> Module::like(const Module& child) {
  DUEL_CHECK(made != nullptr, "like", "expected a call from make_like() while clone() works");
  if (const auto found = made->find(&child); found != made->end()) return found->second;
  std::shared_ptr<Module> copy = child.make_like();
  const Module& same = *copy;
  DUEL_CHECK(typeid(same) == typeid(child), "clone",
             "expected a make_like() of this type's own, got one that it inherits, in {}", child.describe());
  made->emplace(&child, copy);
  return copy;
}

void Module::take_state(const Module& from) {
  const auto fits = [](const auto& mine, const auto& theirs, const auto& same) {
    bool all = mine.size() == theirs.size();
    for (size_t i = 0; all && i < mine.size(); ++i)
      all = mine[i].first == theirs[i].first && same(mine[i].second, theirs[i].second);
    return all;
  };
  const auto same_shape = [](const Tensor& a, const Tensor& b) { return a.shape() == b.shape(); };
  DUEL_CHECK(fits(parameters_, from.parameters_, same_shape) && fits(buffers_, from.buffers_, same_shape) &&
                 fits(children_, from.children_, [](const auto&, const auto&) { return true; }),
             "clone", "expected make_like() to make the same parameters, buffers and children as {}, got {}",
             from.describe(), describe());
  for (size_t i = 0; i < parameters_.size(); ++i) take(parameters_[i].second, from.parameters_[i].second);
  for (size_t i = 0; i < buffers_.size(); ++i) take(buffers_[i].second, from.buffers_[i].second);
  for (size_t i = 0; i < children_.size(); ++i) children_[i].second->take_state(*from.children_[i].second);
  training_ = from.training_;
}

std::shared_ptr<Module> Module::clone() const {
  const Cloning cloning;
  Generator unused;
  std::shared_ptr<Module> copy;
  {
    const LendDefaultGenerator lend(unused);  // constructors draw; what they draw is overwritten
    copy = like(*this);
  }
  const NoGrad no_grad;
  copy->take_state(*this);
  DUEL_CHECK(copy->named_parameters().size() == named_parameters().size(), "clone",
             "expected make_like() to share what {} shares between its layers", describe());
  return copy;
}

}  // namespace duel::nn
