// Short names completed from a resolver's search list (resolv.conf(5)), and host names brought to one form.
// Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::discovery {

// The absolute names `domain` may stand for, most likely first; never empty, each ends in a dot.
// A search list with a `svc.` domain is Kubernetes' own: there a short name is a service before it is a name
// of its own.
std::vector<std::string> complete(std::string_view domain, std::span<const std::string> search);

// The same for the host of a node, as a BEAM's resolver completes it: longer names, too
// (`pod.service.namespace`), but none that already ends in a domain of the list.
std::vector<std::string> complete_host(std::string_view host, std::span<const std::string> search);

// Whether a completion of `asked` is for the world outside to know: the name as it stands and, inside
// Kubernetes, whatever is not of the cluster's own zone. What is said of it, though it fails, is no failure
// of the search.
bool is_outside(std::string_view name, std::string_view asked, std::span<const std::string> search);

// True: `own`, which a node calls its host, is the host known as `known`: whatever the case, a final dot, and
// a domain of the search list at the end of either.
bool same_host(std::string_view known, std::string_view own, std::span<const std::string> search);

// Lower case, no final dot; nothing when it is no host name (RFC 1123, and underscores, which Erlang nodes
// carry).
std::optional<std::string> normal_host(std::string_view text);

}  // namespace rollcall::discovery
