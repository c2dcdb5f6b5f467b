#include "app/passer_by.hpp"

#include <fmt/format.h>

namespace rollcall::app {

guest_name take_guest_name(const configuration& asked) {
  auto own = guest_name::take(asked.name->host());
  if (!own) {
    throw configuration_error(fmt::format(
        "{} of rollcall check and doctor run here already, and there are no more names: wait until "
        "one has ended",
        guest_names));
  }
  return *std::move(own);
}

configuration passer_by(configuration asked, const node_name& own) {
  asked.name = own;
  asked.epmd = epmd_mode::none;
  asked.heal = heal_mode::off;
  asked.views = view_mode::poll;
  asked.dist_port = 0;
  return asked;
}

}  // namespace rollcall::app
