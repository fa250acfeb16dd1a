#include "duel/nn/module/module_list.h"

namespace duel::nn {

void ModuleList::push_back(std::shared_ptr<Module> layer) {
  register_module(std::to_string(size()), std::move(layer));
}

Module& ModuleList::operator[](size_t i) const {
  DUEL_CHECK(i < size(), type(), "expected a layer below {}, got {}", size(), i);
  return *named_children()[i].second;
}

std::shared_ptr<Module> ModuleList::filled(std::shared_ptr<ModuleList> empty) const {
  for (const auto& layer : *this) empty->push_back(like(layer));
  return empty;
}

void ModuleList::wrong_type(size_t i) const {
  fail(type(), "layer {} is {}, not of the type asked for", i, (*this)[i].describe());
}

Module* ModuleDict::find(const std::string& name) const {
  for (const auto& [key, layer] : named_children()) {
    if (key == name) return layer.get();
  }
  return nullptr;
}

Module& ModuleDict::operator[](const std::string& name) const {
  Module* layer = find(name);
  DUEL_CHECK(layer != nullptr, "ModuleDict", "there is no \"{}\" in {}", name, describe());
  return *layer;
}

std::shared_ptr<Module> ModuleDict::make_like() const {
  auto copy = std::make_shared<ModuleDict>();
  for (const auto& [name, layer] : named_children()) copy->insert(name, like(layer));
  return copy;
}

}  // namespace duel::nn
