// The Pod Security Standard `restricted` (with `baseline`, which it contains) as of Kubernetes 1.34: what a
// namespace that enforces it refuses a pod for.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

namespace rollcall::test {

// A line for each thing that keeps this pod (or the pod of this template) out; `pod` has `metadata` and
// `spec`.
std::vector<std::string> refused_by_restricted(const boost::json::value& pod);

}  // namespace rollcall::test
