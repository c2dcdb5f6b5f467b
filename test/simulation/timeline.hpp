// Virtual time: a clock, what is due on it, and the dice that decide how long everything takes. Two things
// due at the same moment happen in the order in which they were put there, so that a seed replays exactly.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

namespace rollcall::simulation {

using std::chrono::milliseconds;

class dice {
 public:
  explicit dice(std::uint64_t seed) : engine_(seed) {}
  // 0 <= draw(n) < n
  std::uint64_t draw(std::uint64_t below) { return engine_() % below; }
  bool one_in(std::uint64_t n) { return draw(n) == 0; }
  std::int64_t whole(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(draw(static_cast<std::uint64_t>(high - low + 1)));
  }
  milliseconds between(std::int64_t low, std::int64_t high) { return milliseconds(whole(low, high)); }
  template <class List>
  void shuffle(List& list) {  // std::shuffle differs between libraries
    for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[draw(i)]);
  }

 private:
  std::mt19937_64 engine_;
};

// What is to be done, once. Most of it is small and stands in place: a mesh of 1,000 nodes has millions due.
class task {
 public:
  template <class What>
  requires(!std::is_same_v<std::remove_cvref_t<What>, task>) task(What&& what) {
    using held = std::remove_cvref_t<What>;
    if constexpr (sizeof(held) <= room && std::is_nothrow_move_constructible_v<held>) {
      ::new (place_) held(std::forward<What>(what));
      does_ = &of<held>;
    } else {
      auto large = [own = std::make_unique<held>(std::forward<What>(what))] { (*own)(); };
      ::new (place_) decltype(large)(std::move(large));
      does_ = &of<decltype(large)>;
    }
  }
  task(task&& other) noexcept : does_(std::exchange(other.does_, nullptr)) {
    if (does_ != nullptr) does_(step::move, other.place_, place_);
  }
  task& operator=(task&& other) noexcept {
    if (this == &other) return *this;
    if (does_ != nullptr) does_(step::end, place_, nullptr);
    does_ = std::exchange(other.does_, nullptr);
    if (does_ != nullptr) does_(step::move, other.place_, place_);
    return *this;
  }
  task(const task&) = delete;
  task& operator=(const task&) = delete;
  ~task() {
    if (does_ != nullptr) does_(step::end, place_, nullptr);
  }
  void operator()() { does_(step::call, place_, nullptr); }

 private:
  static constexpr std::size_t room = 48;
  enum class step { call, move, end };
  template <class Held>
  static void of(step what, std::byte* at, std::byte* to) {
    auto& held = *std::launder(reinterpret_cast<Held*>(at));
    if (what == step::call) return static_cast<void>(held());
    if (what == step::move) ::new (to) Held(std::move(held));
    held.~Held();
  }

  void (*does_)(step, std::byte*, std::byte*) = nullptr;
  alignas(std::max_align_t) std::byte place_[room];
};

// What is due within the next seconds stands in a ring with a slot for each millisecond, the rest in a heap,
// from where it moves to the ring before anything else can be put there for that moment.
class timeline {
 public:
  explicit timeline(std::uint64_t seed) : weather(seed), ring_(span), due_(span / 64) {}

  milliseconds now() const noexcept { return milliseconds(now_); }
  void in(milliseconds after, task what) {
    const auto when = now_ + std::max<std::int64_t>(after.count(), 0);
    if (when < reach_) return put(when, std::move(what));
    later_.push_back({when, order_++, std::move(what)});
    std::push_heap(later_.begin(), later_.end(), std::greater<>());
  }
  void at(milliseconds when, task what) { in(when - now(), std::move(what)); }
  // Goes to the first moment at which something is due, at most to `latest`, and lets it happen.
  void advance(milliseconds latest) {
    go_to(std::max(now_, std::min(latest.count(), next_due(latest.count()))));
    auto& slot = ring_[now_ % span];
    for (std::size_t i = 0; i < slot.size(); ++i) {
      auto what = std::move(slot[i]);  // it may put more into this slot
      what();
    }
    constexpr std::size_t kept = 256;
    if (slot.capacity() > kept) std::vector<task>().swap(slot);
    slot.clear();
    due_[now_ % span / 64] &= ~(std::uint64_t{1} << (now_ % 64));
  }

  dice weather;  // how long things take; what breaks is drawn from dice of its own, before the history begins

 private:
  static constexpr std::int64_t span = 8'192;
  struct entry {
    std::int64_t when;
    std::uint64_t order;
    task what;
    bool operator>(const entry& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };

  void put(std::int64_t when, task what) {
    ring_[when % span].push_back(std::move(what));
    due_[when % span / 64] |= std::uint64_t{1} << (when % 64);
  }
  // Of the ring: the rest is due after `reach_`.
  std::int64_t next_due(std::int64_t latest) const {
    for (auto t = now_; t < std::min(reach_, latest);) {
      const auto word = due_[t % span / 64] >> (t % 64);
      if (word != 0) return t + __builtin_ctzll(word);
      t += 64 - t % 64;
    }
    return later_.empty() ? latest : later_.front().when;
  }
  void go_to(std::int64_t when) {
    now_ = when;
    reach_ = now_ + span;
    while (!later_.empty() && later_.front().when < reach_) {
      std::pop_heap(later_.begin(), later_.end(), std::greater<>());
      put(later_.back().when, std::move(later_.back().what));
      later_.pop_back();
    }
  }

  std::int64_t now_ = 0, reach_ = span;
  std::uint64_t order_ = 0;
  std::vector<std::vector<task>> ring_;  // by millisecond
  std::vector<std::uint64_t> due_;       // which of them are not empty
  std::vector<entry> later_;
};

}  // namespace rollcall::simulation
