// What is wrong with a page that Duel wrote, told without a browser: tags that do not match, attributes without quotes, ids
// that stand twice, labels and links that lead nowhere, pictures without a text, anything from outside.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace duel::gan::testing {

struct Tag {
  std::string name;
  std::vector<std::pair<std::string, std::string>> attributes;
  const std::string* find(const std::string& wanted) const {
    for (const auto& [key, value] : attributes) {
      if (key == wanted) return &value;
    }
    return nullptr;
  }
};

/// Nothing for a page that is well.
inline std::vector<std::string> faults_of(const std::string& html) {
  static const std::set<std::string> empty = {"meta", "link", "img", "input", "br"};
  std::vector<std::string> faults, open, referred;
  std::set<std::string> ids;
  if (!html.starts_with("<!DOCTYPE html>\n")) faults.push_back("no doctype");
  const auto space = [](char c) { return c == ' ' || c == '\n'; };
  size_t at = html.find('>') + 1;
  while (at < html.size()) {
    const size_t begin = html.find('<', at);
    const std::string text = html.substr(at, begin == std::string::npos ? begin : begin - at);
    if (text.find('>') != std::string::npos) faults.push_back("a bare > in: " + text.substr(0, 60));
    if (begin == std::string::npos) break;
    size_t i = begin + 1;
    const bool closes = html[i] == '/';
    if (closes) ++i;
    Tag tag;
    while (i < html.size() && !space(html[i]) && html[i] != '>' && html[i] != '/') tag.name += html[i++];
    bool slash = false;
    while (i < html.size() && html[i] != '>') {
      if (space(html[i]) || html[i] == '/') {
        slash = html[i++] == '/';
        continue;
      }
      std::string key, value;
      while (i < html.size() && !space(html[i]) && html[i] != '=' && html[i] != '>') key += html[i++];
      if (html[i] == '=') {
        if (html[++i] != '"') faults.push_back(tag.name + ": " + key + " without quotes");
        const size_t end = html.find('"', ++i);
        value = html.substr(i, end - i);
        i = end + 1;
      }
      if (tag.find(key)) faults.push_back(tag.name + ": " + key + " twice");
      tag.attributes.emplace_back(key, value);
      slash = false;
    }
    at = i + 1;
    if (closes) {
      if (open.empty() || open.back() != tag.name) {
        faults.push_back("</" + tag.name + "> closes " + (open.empty() ? "nothing" : open.back()));
      } else {
        open.pop_back();
      }
      continue;
    }
    if (const auto* id = tag.find("id"); id && !ids.insert(*id).second) faults.push_back("id twice: " + *id);
    for (const char* key : {"aria-labelledby", "aria-describedby", "for"}) {
      if (const auto* to = tag.find(key)) referred.push_back(*to);
    }
    if (const auto* to = tag.find("href"); to && to->starts_with("#")) referred.push_back(to->substr(1));
    for (const char* key : {"src", "href"}) {
      const auto* to = tag.find(key);
      if (to && !to->starts_with("data:") && !to->starts_with("#"))
        faults.push_back(tag.name + " refers to " + *to);
    }
    for (const auto& [key, value] : tag.attributes) {
      if (key.starts_with("on")) faults.push_back(tag.name + ": " + key);
    }
    if (tag.name == "img" && (!tag.find("alt") || tag.find("alt")->empty()))
      faults.push_back("img without alt");
    if (tag.name == "svg" && !tag.find("aria-labelledby") && !tag.find("aria-hidden") && !tag.find("x"))
      faults.push_back("svg without a name");
    if (slash || empty.contains(tag.name)) continue;
    if (tag.name == "script" || tag.name == "style") {  // text up to its end
      at = html.find("</" + tag.name + ">", at);
      if (at == std::string::npos) {
        faults.push_back(tag.name + " does not end");
        break;
      }
      at += tag.name.size() + 3;
      continue;
    }
    open.push_back(tag.name);
  }
  for (const std::string& tag : open) faults.push_back("<" + tag + "> is not closed");
  for (const std::string& id : referred) {
    if (!ids.contains(id)) faults.push_back("nothing is called " + id);
  }
  for (const char* outside : {"http:", "https:", "@import", "url(", "document.write", "innerHTML"}) {
    if (html.find(outside) != std::string::npos) faults.push_back(std::string("holds ") + outside);
  }
  return faults;
}

}  // namespace duel::gan::testing
