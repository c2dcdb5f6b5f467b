#include "membership/canaries.hpp"

namespace rollcall::membership {

void canaries::plan(const step_context& context, path_book& paths,
                    const std::vector<dark_conflict>& conflicts, deadline& wake,
                    std::vector<any_action>& actions) {
  const auto [due, turn] = turns_.due(
      conflicts, context.now, wake, [](const auto& conflict) { return !conflict.pairs.empty(); },
      [](const auto&, const auto&) {});
  if (due == nullptr) return;
  turn->next = context.now + each_conflict;
  ask_in_turn(context, due->pairs, *turn, [&](const member_record& on, const member_record& to) {
    return !paths.under_way(on, to) && paths.ask(on, to, context.options.probe_limit, context.now, actions);
  });
}

}  // namespace rollcall::membership
