// What `global` does on each node: it exchanges what it knows, dials the nodes it was told of, and prevents
// overlapping partitions.
#include "test/simulation/beam.hpp"

namespace rollcall::simulation {

namespace {

// What one `global` tells another is there within milliseconds, and so is the answer, unless that one is at
// something else.
constexpr std::int64_t pop_told_within = 4, pop_takes = 8, pop_takes_at_most = 1'500;

}  // namespace

// prevent_overlapping_partitions: a node that hears of it drops the one that was lost.
void beam_mesh::announce(place by, place gone, cause because) {
  if (!nodes_[by].kernel.prevent_overlapping || !nodes_[by].kernel.connect_all)
    return tell_.bit(nodes_[by].kernel.by);
  tell_loss(by, gone, known_[by], because);
  tell_loss(by, gone, meeting_[by], because);
}

void beam_mesh::tell_loss(place by, place gone, const std::vector<std::uint64_t>& told, cause because) {
  for (std::size_t i = 0; i < words_; ++i) {
    for (auto bits = told[i] & rows_[by][i]; bits != 0; bits &= bits - 1) {
      const auto third = static_cast<place>(i * 64 + static_cast<std::size_t>(__builtin_ctzll(bits)));
      if (!hears(third, by)) continue;
      time_.in(time_.weather.between(0, pop_told_within),
               [this, by, third, gone, because] { told_of_loss(by, third, gone, because); });
    }
  }
}

// One that has dropped who tells does not hear it any more.
void beam_mesh::told_of_loss(place by, place third, place gone, cause because) {
  // One that was named is known already: an attempt at it that fails then is told to nobody (global.erl:
  // removing).
  if (!minds(third, gone) || !hears(third, by)) return;
  if (!nodes_[third].kernel.prevent_overlapping || !nodes_[third].kernel.connect_all)
    return tell_.bit(nodes_[third].kernel.by);
  // It is known to this one no more from then on, and passed on to nobody, however long the link takes to go.
  mark(removing_, third, gone, true);
  forget(third, gone);
  // It passes that on: those that the first one does not know hear of it, too.
  auto others = known_[third];
  for (std::size_t i = 0; i < words_; ++i) others[i] &= ~known_[by][i];
  others[by / 64] &= ~(std::uint64_t{1} << (by % 64));
  tell_loss(third, gone, others, because);
  if (!sees(third, gone)) return;
  if (hears(gone, third)) {
    mark(removing_, gone, third, true);
    forget(gone, third);
  }
  const auto most = time_.weather.one_in(2) ? pop_takes : pop_takes_at_most;
  time_.in(time_.weather.between(0, most),
           [this, third, gone, because, generation = end(third, gone).generation] {
             if (!present(third) || end(third, gone).generation != generation) return;
             lose(third, gone, "disconnect", because, false);
           });
}

// Two that are linked exchange what they know. Of several that do so at once, the first names all others to
// each other, and theirs are over then (global.erl: cancel_resolved_locker); who is told meanwhile to drop
// the other one ends it (cancel_locker).
void beam_mesh::meet(place a, place b, std::uint32_t generation, cause because) {
  if (end(a, b).generation != generation || end(b, a).generation != generation) return;
  if (!marked(meeting_, a, b) || !marked(meeting_, b, a) || nodes_[a].closing || nodes_[b].closing) return;
  if (!hears(a, b) || !hears(b, a)) {  // it goes on when it hears again
    constexpr milliseconds again{500};
    return time_.in(again, [this, a, b, generation, because] { meet(a, b, generation, because); });
  }
  for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
    mark(meeting_, x, y, false);
    if (removes(x, y) || removes(y, x)) return;
  }
  if (!knows(a, b) && !knows(b, a)) exchange(a, b, because);
  for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) mark(known_, x, y, true);
}

// Everybody that one of the two knows is named to everybody that the other one knows.
void beam_mesh::exchange(place a, place b, cause because) {
  auto some = known_[a], others = known_[b];
  some[a / 64] |= std::uint64_t{1} << (a % 64);
  others[b / 64] |= std::uint64_t{1} << (b % 64);
  const auto told = [&](place who, place by) { return who == by || hears(who, by); };
  const auto each = [&](const std::vector<std::uint64_t>& row, auto&& visit) {
    for (std::size_t i = 0; i < words_; ++i) {
      for (auto bits = row[i]; bits != 0; bits &= bits - 1)
        visit(static_cast<place>(i * 64 + static_cast<std::size_t>(__builtin_ctzll(bits))));
    }
  };
  each(some, [&](place x) {
    auto fresh = others;
    for (std::size_t i = 0; i < words_; ++i) fresh[i] &= ~known_[x][i];
    fresh[x / 64] &= ~(std::uint64_t{1} << (x % 64));
    each(fresh, [&](place y) {
      const bool x_told = told(x, a), y_told = told(y, b);
      if (x_told) mark(known_, x, y, true);
      if (y_told) mark(known_, y, x, true);
      if (sees(x, y) || sees(y, x)) return;
      if (x_told) introduce(x, y, because);
      if (y_told) introduce(y, x, because);
    });
  });
}

// `on` was told of `to`, and dials.
void beam_mesh::introduce(place on, place to, cause because) {
  if (!nodes_[on].kernel.auto_connect && nodes_[to].kernel.auto_connect) return;  // it waits to be dialled
  time_.in(time_.weather.between(1, 40), [this, on, to, because] { dial(on, to, because); });
}

// An attempt that fails is a lost connection, whatever the other side's becomes. Of two at once the greater
// name keeps its own, and the other one waits for that, even if it hangs or has failed.
void beam_mesh::dial(place on, place to, cause because) {
  if (sees(on, to) || dials(on, to)) return;
  if (!present(on) || nodes_[on].closing) return forget(on, to);
  mark(dialling_, on, to, true);
  const auto will = nodes_[on].kernel.auto_connect ? look(on, to) : prospect{fate::fails_at_once};
  auto takes = latency(on, to);
  takes += will.what == fate::links   ? time_.weather.between(4, 40)
           : will.what == fate::hangs ? nodes_[on].kernel.setuptime
                                      : time_.weather.between(1, 20);
  time_.in(takes, [this, on, to, because, will] {
    const bool links = will.what == fate::links && look(on, to).what == fate::links;
    if (links && to > on && present(to) && dials(to, on)) {
      return time_.in(nodes_[on].kernel.setuptime,
                      [this, on, to, because] { dialled(on, to, false, because); });
    }
    if (!links && !sees(on, to)) tell_.bit(will.by);
    dialled(on, to, links, because);
  });
}

void beam_mesh::dialled(place on, place to, bool links, cause because) {
  mark(dialling_, on, to, false);
  if (sees(on, to)) return;
  if (!present(on) || nodes_[on].closing) return forget(on, to);
  if (links) {
    if (sees(to, on)) lose(to, on, "connection_closed", cause::fault(), true);
    return join(on, to, because);
  }
  const bool told_before = removes(on, to);
  mark(removing_, on, to, false);
  forget(on, to);
  if (!told_before) announce(on, to, because);
}

}  // namespace rollcall::simulation
