#include "metrics/exporter.hpp"

#include <prometheus/histogram.h>

#include <algorithm>
#include <array>

#include "metrics/cluster_families.hpp"
#include "metrics/process.hpp"

namespace rollcall::metrics {

namespace {

constexpr int direction_count = 2, rpc_error_count = 6;

double in_seconds(milliseconds duration) {
  return seconds(duration).count();
}

const prometheus::Histogram::BucketBoundaries quick{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                    0.1,    0.25,  0.5,    1,     2.5,  5};
const prometheus::Histogram::BucketBoundaries slow{0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                   0.5,   1,    2.5,   5,    10,  30};

std::string_view outcome_text(handshake_outcome outcome) {
  return outcome == handshake_outcome::none ? std::string_view("ok") : membership::to_string(outcome);
}

template <class Enum>
std::size_t index(Enum value) {
  return static_cast<std::size_t>(value);
}

}  // namespace

std::string_view to_string(direction of) noexcept {
  return of == direction::outgoing ? "outgoing" : "incoming";
}

std::string_view to_string(rpc_error what) noexcept {
  switch (what) {
    case rpc_error::no_link:
      return "no_link";
    case rpc_error::timed_out:
      return "timed_out";
    case rpc_error::link_lost:
      return "link_lost";
    case rpc_error::refused:
      return "refused";
    case rpc_error::raised:
      return "raised";
    case rpc_error::bad_answer:
      return "bad_answer";
  }
  return "bad_answer";
}

struct exporter::implementation {
  struct source {
    std::string name;
    std::array<std::uint64_t, membership::query_outcome_count> queries{};
  };

  explicit implementation(options given) : settings(std::move(given)) {
    for (const auto& name : settings.sources) of(name);
  }

  source& of(std::string_view name) {
    const auto known =
        std::find_if(sources.begin(), sources.end(), [&](const source& one) { return one.name == name; });
    if (known != sources.end()) return *known;
    return sources.emplace_back(source{std::string(name), {}});
  }

  void write_build_info(exposition& out) const {
    auto info = family::gauge("rollcall_build_info",
                              "1, with the version of Rollcall and of what it was built with.");
    // An empty label is the same as none to Prometheus.
    if (settings.otp_ei.empty()) {
      info.add({{"version", settings.version}, {"revision", settings.revision}}, 1);
    } else {
      info.add({{"version", settings.version}, {"revision", settings.revision}, {"otp_ei", settings.otp_ei}},
               1);
    }
    out.write(std::move(info));
  }

  void write_rounds(exposition& out, const membership::snapshot& of) const {
    out.gauge("rollcall_isolated", "1 while Rollcall itself reaches no member at all.", of.isolated ? 1 : 0);
    out.gauge("rollcall_standby", "1 while Rollcall stands by, since a newer one under its name is at work.",
              of.standing_by ? 1 : 0);
    out.gauge("rollcall_links", "Distribution links Rollcall holds to nodes of any kind.",
              static_cast<double>(links));
    out.gauge("rollcall_interval_seconds", "Configured time between two rounds, in seconds.",
              in_seconds(settings.interval));
    auto duration = family::histogram("rollcall_round_duration_seconds", "Time one round took, in seconds.");
    duration.add(rounds.Collect());
    out.write(std::move(duration));
    out.gauge("rollcall_last_round_timestamp_seconds",
              "When the last round ended, in seconds since the epoch; 0 is never.", timestamp_of(last_round));
    const auto certificate_end = of.certificate ? timestamp_of(of.certificate->ends) : 0;
    out.gauge("rollcall_tls_certificate_expiry_timestamp_seconds",
              "When the certificate shown to nodes ends, in seconds since the epoch; 0 without --tls on.",
              certificate_end);
    out.gauge(
        "rollcall_http_tls_certificate_expiry_timestamp_seconds",
        "When the certificate shown over HTTPS ends, in seconds since the epoch; 0 without --http-tls-cert.",
        of.http_certificate ? timestamp_of(of.http_certificate->ends) : 0);
  }

  void write_calls(exposition& out) const {
    auto requests = family::counter("rollcall_connect_requests_total",
                                    "Requests to a member to connect to another, by how they ended.");
    for (int each = 0; each < membership::connect_outcome_count; ++each) {
      requests.add({{"outcome", membership::to_string(static_cast<membership::connect_outcome>(each))}},
                   static_cast<double>(connects[each]));
    }
    out.write(std::move(requests));
    auto request_duration = family::histogram("rollcall_connect_request_duration_seconds",
                                              "Time a request to connect took to be answered, in seconds.");
    request_duration.add(connect_times.Collect());
    out.write(std::move(request_duration));

    auto call_duration = family::histogram("rollcall_rpc_duration_seconds",
                                           "Time an answered call to a member took, in seconds.");
    call_duration.add(calls.Collect());
    out.write(std::move(call_duration));
    auto errors =
        family::counter("rollcall_rpc_errors_total", "Calls to members that gave no answer, by reason.");
    for (int each = 0; each < rpc_error_count; ++each) {
      errors.add({{"reason", to_string(static_cast<rpc_error>(each))}},
                 static_cast<double>(call_errors[each]));
    }
    out.write(std::move(errors));

    auto tried = family::counter("rollcall_handshakes_total",
                                 "Attempts to set up a link, by who dialled and how they ended.");
    for (int way = 0; way < direction_count; ++way) {
      for (int each = 0; each < membership::reason_count; ++each) {
        tried.add({{"direction", to_string(static_cast<direction>(way))},
                   {"outcome", outcome_text(static_cast<handshake_outcome>(each))}},
                  static_cast<double>(handshakes[way][each]));
      }
    }
    out.write(std::move(tried));
  }

  void write_discovery(exposition& out, const membership::snapshot& of) const {
    auto queries =
        family::counter("rollcall_discovery_queries_total", "Queries to a source, by how they ended.");
    auto records =
        family::gauge("rollcall_discovery_records", "Records in the last good answer of a source.");
    auto success = family::gauge("rollcall_discovery_last_success_timestamp_seconds",
                                 "When a source last gave a good answer, in seconds since the epoch; 0 is "
                                 "never.");
    for (const auto& one : sources) {
      for (int each = 0; each < membership::query_outcome_count; ++each) {
        queries.add({{"source", one.name},
                     {"outcome", membership::to_string(static_cast<membership::query_outcome>(each))}},
                    static_cast<double>(one.queries[each]));
      }
      const auto report = std::find_if(of.sources.begin(), of.sources.end(),
                                       [&](const auto& reported) { return reported.source == one.name; });
      const bool reported = report != of.sources.end();
      records.add({{"source", one.name}}, reported ? static_cast<double>(report->records) : 0);
      success.add({{"source", one.name}}, reported ? timestamp_of(report->last_success) : 0);
    }
    out.write(std::move(queries));
    out.write(std::move(records));
    out.write(std::move(success));
  }

  void write_kubernetes(exposition& out) const {
    if (!kubernetes) return;
    const auto now = kubernetes();
    auto lists = family::counter("rollcall_kubernetes_lists_total",
                                 "Lists of EndpointSlices that were asked for, by why.");
    for (std::size_t each = 0; each < list_reasons.size(); ++each) {
      lists.add({{"reason", list_reasons[each]}}, static_cast<double>(now.lists[each]));
    }
    out.write(std::move(lists));
    if (!now.watch_age) return;
    out.gauge("rollcall_kubernetes_watch_age_seconds",
              "Time since the last line of the watch of EndpointSlices (of the quietest one), in seconds.",
              now.watch_age->count());
  }

  options settings;
  std::function<kubernetes_figures()> kubernetes;
  std::vector<source> sources;  // the configured ones, in their order; their number bounds the series
  std::size_t links = 0;
  std::optional<membership::wall_time> last_round;
  prometheus::Histogram rounds{slow};
  prometheus::Histogram connect_times{slow};
  prometheus::Histogram calls{quick};
  std::array<std::uint64_t, membership::connect_outcome_count> connects{};
  std::array<std::uint64_t, rpc_error_count> call_errors{};
  std::array<std::array<std::uint64_t, membership::reason_count>, direction_count> handshakes{};
};

exporter::exporter(options given) : implementation_(std::make_unique<implementation>(std::move(given))) {}
exporter::~exporter() = default;

void exporter::round(seconds took, membership::wall_time ended) {
  implementation_->rounds.Observe(took.count());
  implementation_->last_round = ended;
}

void exporter::handshake(direction way, handshake_outcome outcome) {
  ++implementation_->handshakes[index(way)][index(outcome)];
}

void exporter::call(seconds took) {
  implementation_->calls.Observe(took.count());
}

void exporter::call_failed(rpc_error what) {
  ++implementation_->call_errors[index(what)];
}

void exporter::connect_request(membership::connect_outcome outcome, seconds took) {
  ++implementation_->connects[index(outcome)];
  implementation_->connect_times.Observe(took.count());
}

void exporter::query(std::string_view source, membership::query_outcome outcome) {
  ++implementation_->of(source).queries[index(outcome)];
}

void exporter::kubernetes(std::function<kubernetes_figures()> asked) {
  implementation_->kubernetes = std::move(asked);
}

void exporter::links(std::size_t now) {
  implementation_->links = now;
}

std::string exporter::render(const membership::snapshot& of) const {
  const auto& own = *implementation_;
  exposition out;
  write_cluster(out, of, std::max(of.at, own.last_round.value_or(of.at)), own.settings.max_link_series);
  own.write_build_info(out);
  own.write_rounds(out, of);
  own.write_calls(out);
  own.write_discovery(out, of);
  own.write_kubernetes(out);
  write_process(out);
  return std::move(out).take();
}

}  // namespace rollcall::metrics
