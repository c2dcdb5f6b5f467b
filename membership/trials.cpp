#include "membership/trials.hpp"

#include <algorithm>

#include "membership/connect_requests.hpp"
#include "membership/jitter.hpp"

namespace rollcall::membership {
namespace {

constexpr auto whole_handshake = probed_port::handshake;

bool ask(const step_context& context, path_book& paths, const member_record& on, const member_record& to,
         std::vector<any_action>& actions) {
  const auto limit = on.net_setuptime.value_or(connect_requests::default_setuptime);
  return paths.ask(on, to, limit + connect_requests::setuptime_margin, context.now, actions, whole_handshake);
}

bool under_way(const path_book& paths, const member_record& a, const member_record& b) {
  return paths.under_way(a, b, whole_handshake) || paths.under_way(b, a, whole_handshake);
}

// From one of them, unless one is under way.
void ask_either(const step_context& context, path_book& paths, std::uint32_t a, std::uint32_t b,
                std::vector<any_action>& actions) {
  const auto *on = context.members.find(a), *to = context.members.find(b);
  if (on == nullptr || to == nullptr || under_way(paths, *on, *to)) return;
  if (!ask(context, paths, *on, *to, actions)) ask(context, paths, *to, *on, actions);
}

bool tried_since(const step_context& context, const path_book& paths, std::uint32_t a, std::uint32_t b,
                 steady_time since) {
  const auto *on = context.members.find(a), *to = context.members.find(b);
  if (on == nullptr || to == nullptr) return true;
  const auto forth = paths.last(*on, *to, whole_handshake), back = paths.last(*to, *on, whole_handshake);
  return (forth && forth->asked_at >= since) || (back && back->asked_at >= since);
}

}  // namespace

void trials::plan(const step_context& context, path_book& paths,
                  const std::vector<refused_conflict>& conflicts, deadline& wake,
                  std::vector<any_action>& actions) {
  const auto joins = [&](const refused_conflict& conflict) {
    if (!conflict.pairs.empty()) return true;
    // When nothing is held back any more, what was proven long ago is proven again.
    for (const auto& [a, b] : conflict.proven_long_ago) {
      const auto *on = context.members.find(a), *to = context.members.find(b);
      if (on != nullptr && to != nullptr && !under_way(paths, *on, *to))
        ask(context, paths, *on, *to, actions);
    }
    return false;
  };
  const auto each = [&](const refused_conflict& conflict, turn& its) {
    if (const auto since = std::max(conflict.proven, hurried_)) {
      try_all(context, paths, conflict, *since, its, wake, actions);
    }
  };
  const auto [due, its] = turns_.due(conflicts, context.now, wake, joins, each);
  if (due == nullptr) return;
  its->next = context.now + jittered(each_conflict(context.options.interval), context.options.seed,
                                     due->one ^ due->other, its->place);
  ask_in_turn(context, due->pairs, *its, [&](const member_record& on, const member_record& to) {
    return !under_way(paths, on, to) && ask(context, paths, on, to, actions);
  });
}

// When one of them has got through, or somebody says so. What began before that says nothing.
void trials::try_all(const step_context& context, path_book& paths, const refused_conflict& conflict,
                     steady_time since, turn& its, deadline& wake, std::vector<any_action>& actions) {
  bool any = false;
  for (const auto& [a, b] : conflict.pairs) {
    if (tried_since(context, paths, a, b, since)) continue;
    if (context.now < its.all_from) {
      wake.note(its.all_from);
      return;
    }
    any = true;
    ask_either(context, paths, a, b, actions);
  }
  if (any) its.all_from = context.now + context.options.interval;
}

}  // namespace rollcall::membership
