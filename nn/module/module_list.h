// ModuleList and ModuleDict: layers by number and by name, as torch.nn has them. They hold, name and register
// layers; the module that owns the list says what is computed, so they have no forward() of their own.
//
// Example, blocks that take a condition:
//   std::shared_ptr<nn::ModuleList> blocks = register_module("blocks", nn::ModuleList(Block(64), Block(32)));
//   Tensor forward(const Tensor& x, const Tensor& label) override {
//     Tensor y = x;
//     for (const auto& block : *blocks) y = (*block)(y, label);
//     return y;
//   }
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

class ModuleList;
namespace detail {
template <class Layer, class List>
concept NotItself = !std::same_as<std::remove_cvref_t<Layer>, List>;
}

/// Layers named "0", "1", …
class ModuleList : public Module {
 public:
  ModuleList() = default;
  /// Takes layers by value (they are moved in) or by shared pointer. A ModuleList alone is moved, not nested.
  template <detail::NotItself<ModuleList> Layer>
  explicit ModuleList(Layer&& layer) {
    push_back(std::forward<Layer>(layer));
  }
  template <class First, class Second, class... Rest>
  ModuleList(First&& first, Second&& second, Rest&&... rest) {
    push_back(std::forward<First>(first));
    push_back(std::forward<Second>(second));
    (push_back(std::forward<Rest>(rest)), ...);
  }

  template <std::derived_from<Module> Layer>
  void push_back(Layer layer) {
    push_back(std::shared_ptr<Module>(std::make_shared<Layer>(std::move(layer))));
  }
  void push_back(std::shared_ptr<Module> layer);

  size_t size() const { return named_children().size(); }
  /// The i-th layer; Error when there are fewer.
  Module& operator[](size_t i) const;
  /// The i-th layer as what it is: net.at<Linear>(0).weight. Error when it is something else.
  template <std::derived_from<Module> Layer>
  Layer& at(size_t i) const {
    auto* layer = dynamic_cast<Layer*>(&(*this)[i]);
    if (layer == nullptr) wrong_type(i);
    return *layer;
  }

  /// For loops over the layers, as std::shared_ptr<Module>.
  class Iterator {
   public:
    explicit Iterator(const std::pair<std::string, std::shared_ptr<Module>>* at) : at_(at) {}
    const std::shared_ptr<Module>& operator*() const { return at_->second; }
    Iterator& operator++() { return ++at_, *this; }
    bool operator==(const Iterator&) const = default;

   private:
    const std::pair<std::string, std::shared_ptr<Module>>* at_;
  };
  Iterator begin() const { return Iterator(named_children().data()); }
  Iterator end() const { return Iterator(named_children().data() + size()); }

  std::string describe() const override { return describe_children(type()); }

 protected:
  std::shared_ptr<Module> make_like() const override { return filled(std::make_shared<ModuleList>()); }
  /// What descriptions and errors call it.
  virtual const char* type() const { return "ModuleList"; }
  /// `empty` with new layers like these.
  std::shared_ptr<Module> filled(std::shared_ptr<ModuleList> empty) const;

 private:
  [[noreturn]] void wrong_type(size_t i) const;
};

/// Layers by name, in the order in which they came.
class ModuleDict : public Module {
 public:
  /// By value (it is moved in) or by shared pointer; a name without dots that is new here.
  template <std::derived_from<Module> Layer>
  std::shared_ptr<Layer> insert(const std::string& name, Layer layer) {
    return register_module(name, std::move(layer));
  }
  std::shared_ptr<Module> insert(const std::string& name, std::shared_ptr<Module> layer) {
    return register_module(name, std::move(layer));
  }
  size_t size() const { return named_children().size(); }
  bool contains(const std::string& name) const { return find(name) != nullptr; }
  /// Error that names those there are when there is none of that name.
  Module& operator[](const std::string& name) const;

  std::string describe() const override { return describe_children("ModuleDict"); }

 protected:
  std::shared_ptr<Module> make_like() const override;

 private:
  Module* find(const std::string& name) const;
};

}  // namespace duel::nn
