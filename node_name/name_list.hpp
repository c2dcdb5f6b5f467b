// Names of nodes in one block of memory: what a node sees of a thousand others is one allocation, not a
// thousand. They are texts, not checked: what is none of the names that are known is parsed by its reader.
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "node_name/node_name.hpp"

namespace rollcall {

class name_list {
 public:
  name_list() = default;
  name_list(const std::vector<node_name>& names) {  // NOLINT(google-explicit-constructor): the same names
    for (const auto& name : names) add(name.text());
  }
  name_list(std::initializer_list<node_name> names) {
    for (const auto& name : names) add(name.text());
  }

  // For names of so many bytes together; a byte for each comes on top.
  void reserve(std::size_t bytes) { held_.reserve(bytes); }
  // What is longer than a node's name may be is left out.
  void add(std::string_view name) {
    if (name.size() > node_name::max_length) return;
    held_.push_back(static_cast<char>(name.size()));
    held_.append(name);
    ++size_;
  }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  // The same for the same names in the same order, and hardly ever for others.
  std::size_t digest() const noexcept { return std::hash<std::string_view>{}(held_); }

  class iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;

    iterator() = default;
    explicit iterator(const char* at) : at_(at) {}
    std::string_view operator*() const { return {at_ + 1, length()}; }
    iterator& operator++() {
      at_ += 1 + length();
      return *this;
    }
    iterator operator++(int) {
      const auto before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(iterator, iterator) = default;

   private:
    std::size_t length() const { return static_cast<unsigned char>(*at_); }
    const char* at_ = nullptr;
  };
  // Valid until the list changes.
  iterator begin() const { return iterator(held_.data()); }
  iterator end() const { return iterator(held_.data() + held_.size()); }

 private:
  static_assert(node_name::max_length <= 255, "a length is one byte");
  std::string held_;  // of each name its length, then the name
  std::size_t size_ = 0;
};

}  // namespace rollcall
