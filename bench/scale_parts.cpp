#include "bench/scale.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <new>

#include "test/support/certificates.hpp"
#include "test/support/wait.hpp"

namespace rollcall::bench {

using test::eventually;

passed passed::since(const passed& before) const {
  passed result{frames - before.frames, bytes - before.bytes, {}, links};
  for (const auto& [what, times] : asked) {
    const auto known = before.asked.find(what);
    const auto more = times - (known == before.asked.end() ? 0 : known->second);
    if (more > 0) result.asked.emplace(what, more);
  }
  return result;
}

namespace {

std::string address_of(std::size_t at) {
  return fmt::format("127.20.{}.{}", at / 250, at % 250 + 1);
}

}  // namespace

tls_files::tls_files(std::size_t size) {
  const test::authority signs("the CA of the fleet");
  std::string names = "DNS:127.0.0.1,IP:127.0.0.1";
  for (std::size_t at = 0; at < size; ++at) names += ",IP:" + address_of(at);
  const auto own = signs.issue({.names = names});
  certificate_ = files_.write("tls.crt", own.text);
  key_ = files_.write("tls.key", own.key);
  authorities_ = files_.write("ca.crt", signs.text());
}

fleet_program::fleet_program(std::size_t size, bool linked, const tls_files* tls)
    : size_(size), process_([&] {
        test::process_options options{.arguments = {ROLLCALL_FLEET, std::to_string(size)},
                                      .network_namespace = {},
                                      .write_input = true};
        if (!linked) options.arguments.emplace_back("unlinked");
        if (tls != nullptr) std::ranges::copy(tls->for_fleet(), std::back_inserter(options.arguments));
        return options;
      }()) {
  if (!eventually([&] { return process_.output().starts_with("ready\n"); }, 20s, "the fleet is ready")) {
    throw std::runtime_error("no fleet: " + process_.errors());
  }
  read_ = std::string("ready\n").size();
}

std::string fleet_program::ask(const std::string& command) {
  process_.write(command + "\n");
  std::string answer;
  const auto answered = [&] {
    const auto all = process_.output();
    const auto end = all.find('\n', read_);
    if (end == std::string::npos) return false;
    answer = all.substr(read_, end - read_);
    read_ = end + 1;
    return true;
  };
  if (!eventually(answered, 60s, "the fleet answers", 1ms)) throw std::runtime_error("the fleet is mute");
  if (answer.starts_with("unknown")) throw std::runtime_error(answer);
  return answer;
}

passed fleet_program::with(const std::string& watcher) {
  const auto all = counts();
  const auto* of = all.at("watchers").as_object().if_contains(watcher);
  passed found;
  if (of == nullptr) return found;
  const auto number = [&](std::string_view key) { return of->at(key).to_number<double>(); };
  found.frames = number("frames_in") + number("frames_out");
  found.bytes = number("bytes_in") + number("bytes_out");
  found.links = static_cast<std::size_t>(number("links"));
  for (const auto& [what, times] : of->at("asked").as_object())
    found.asked.emplace(what, times.to_number<double>());
  return found;
}

bool fleet_program::whole() {
  return counts().at("whole").as_bool();
}

std::vector<std::string> fleet_program::names() const {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < size_; ++at) all.push_back("n@" + address_of(at));
  return all;
}

health_clock::health_clock(const test::rollcall_program& program)
    : thread_([this, port = program.http_port()](const std::stop_token& over) {
        while (!over.stop_requested()) {
          const auto begun = std::chrono::steady_clock::now();
          if (resting_) {
            std::this_thread::sleep_for(20ms);
            continue;
          }
          const auto answer = test::http_get("127.0.0.1", port, "/healthz");
          const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
          {
            const std::lock_guard held(lock_);
            taken_.push_back(took.count());
            if (answer.status != 200) ++unanswered_;
          }
          std::this_thread::sleep_until(begun + 20ms);
        }
      }) {}

health_clock::~health_clock() = default;

health_clock::latency health_clock::take() {
  std::vector<double> all;
  latency found;
  {
    const std::lock_guard held(lock_);
    all.swap(taken_);
    found.unanswered = std::exchange(unanswered_, 0);
  }
  found.asked = all.size();
  if (all.empty()) return found;
  std::ranges::sort(all);
  const auto at = [&](double part) {
    return all[std::min(all.size() - 1, static_cast<std::size_t>(part * static_cast<double>(all.size())))];
  };
  found.median = at(0.5);
  found.late = at(0.99);
  found.worst = all.back();
  return found;
}

turn_clock::turn_clock() : path_(files_.write("turns", std::string(sizeof(turn_counts), '\0'))) {
  const int file = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
  void* memory = ::mmap(nullptr, sizeof(turn_counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (file >= 0) ::close(file);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory to share with the program");
  counts_ = new (memory) turn_counts;
}

turn_clock::~turn_clock() {
  ::munmap(counts_, sizeof(turn_counts));
}

std::map<std::string, std::string> turn_clock::environment() const {
  return {{"LD_PRELOAD", ROLLCALL_TURNS}, {turn_counts_variable, path_}};
}

turn_clock::taken turn_clock::take() {
  const auto ms = [](std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; };
  return {.longest_ms = ms(counts_->longest.exchange(0)),
          .longest_three_ms = ms(counts_->longest_three.exchange(0)),
          .spent_s = ms(counts_->spent.exchange(0)) / 1e3,
          .turns = counts_->turns.exchange(0),
          .above_20_ms = counts_->above_20_ms.exchange(0)};
}

std::size_t turn_clock::bytes_in_use(const test::rollcall_program& program) {
  counts_->memory_asked = true;
  program.get("/healthz");
  if (!eventually([&] { return !counts_->memory_asked; }, 20s, "the program says what it has in use", 5ms))
    throw std::runtime_error("the program takes no turn");
  return counts_->bytes_in_use;
}

namespace {

// Views as sorted lists of atoms, the smallest form that a lookup can work with.
constexpr auto observer_module = R"erl(
-module(observer).
-export([start/1, ask/2, watching/0, whole/1]).

watcher() ->
    "Ends = erlang:monitor(process, Us), ok = net_kernel:monitor_nodes(true, [nodedown_reason]), "
    "Tell = fun(What) -> erlang:send(Us, {rollcall_watcher, Token, What}, [noconnect]) end, Tell(watching), "
    "true = erlang:register(rollcall_watcher_observer, erlang:self()), "
    "Hold = fun() -> erlang:send_after(50, erlang:self(), held), [] end, "
    "Told = fun(none) -> none; ([]) -> []; (Held) -> Tell({changes, lists:reverse(Held)}), [] end, "
    "Changed = fun(What, none) -> Tell(What), Hold(); (What, Held) -> [What | Held] end, "
    "Watch = fun Again(Marked, Then, Held) -> receive "
    "{nodeup, Node, _} -> Again(none, [], Changed({up, Node}, Held)); "
    "{nodedown, Node, Info} -> "
    "Again(none, [], Changed({down, Node, proplists:get_value(nodedown_reason, Info)}, Held)); "
    "held -> case Told(Held) of Held -> Again(Marked, Then, none); _ -> Again(Marked, Then, Hold()) end; "
    "{alive, Number} -> Rest = Told(Held), Tell({alive, Number}), Again(Marked, Then, Rest); "
    "{same, Number, Mark} -> Rest = Told(Held), Now = erlang:nodes(), case {Mark, Now} of "
    "{Marked, Then} -> Tell({same, Number}), Again(Marked, Then, Rest); "
    "_ -> Tell({other, Number}), Again(Number, Now, Rest) end; "
    "{'DOWN', Ends, process, _, _} -> ok; _ -> Again(Marked, Then, Held) end end, Watch(none, [], none).".

start(Nodes) ->
    {ok, Tokens, _} = erl_scan:string(watcher()),
    {ok, Forms} = erl_parse:parse_exprs(Tokens),
    Self = self(),
    register(observer, spawn(fun() ->
        Us = self(),
        net_kernel:monitor_nodes(true, [{node_type, all}]),
        Connectors = [spawn(fun() -> connect(Us, N, Forms) end) || N <- Nodes],
        Self ! started,
        loop(#{nodes => Nodes, forms => Forms, connectors => Connectors}, #{}, #{}, #{})
    end)),
    receive started -> ok end.

connect(Us, N, Forms) ->
    case net_kernel:hidden_connect_node(N) of
        true ->
            Token = make_ref(),
            Us ! {token, N, Token},
            erpc:cast(N, erlang, nodes, []),
            spawn_request(N, erl_eval, exprs, [Forms, [{'Us', Us}, {'Token', Token}]], [{reply, no}]),
            Us ! {view, N, lists:sort(erpc:call(N, erlang, nodes, [], 10000))};
        _ -> timer:sleep(1000), connect(Us, N, Forms)
    end.

loop(State, Tokens, Views, Watching) ->
    receive
        {rollcall_watcher, Token, What} ->
            case Tokens of
                #{Token := N} ->
                    case What of
                        watching -> loop(State, Tokens, Views, Watching#{N => {true, 0}});
                        {alive, _} -> loop(State, Tokens, Views, Watching);
                        {same, _} -> loop(State, Tokens, Views, Watching);
                        {other, Mark} ->
                            Us = self(),
                            spawn(fun() -> Us ! {view, N, lists:sort(erpc:call(N, erlang, nodes, [], 10000))} end),
                            loop(State, Tokens, Views, Watching#{N => {true, Mark}});
                        {changes, All} -> loop(State, Tokens, lists:foldl(fun(C, Vs) -> changed(N, C, Vs) end, Views, All), Watching);
                        _ -> loop(State, Tokens, changed(N, What, Views), Watching)
                    end;
                _ -> loop(State, Tokens, Views, Watching)
            end;
        {token, N, Token} -> loop(State, Tokens#{Token => N}, Views, Watching);
        {view, N, Names} -> loop(State, Tokens, Views#{N => Names}, Watching);
        {nodedown, N, _} ->
            Us = self(),
            #{forms := Forms, nodes := Nodes} = State,
            case lists:member(N, Nodes) of
                true -> spawn(fun() -> timer:sleep(500), connect(Us, N, Forms) end);
                false -> ok
            end,
            loop(State, Tokens, maps:remove(N, Views), maps:remove(N, Watching));
        {watching, From} -> From ! {watching, map_size(Watching)}, loop(State, Tokens, Views, Watching);
        {whole, From, Size} ->
            From ! {whole, length([N || {N, V} <- maps:to_list(Views), length(V) =:= Size])},
            loop(State, Tokens, Views, Watching);
        {nodes, From} -> From ! {nodes, Watching}, loop(State, Tokens, Views, Watching);
        _ -> loop(State, Tokens, Views, Watching)
    end.

changed(N, {up, P}, Views) -> change(fun ordsets:add_element/2, N, P, Views);
changed(N, {down, P, _}, Views) -> change(fun ordsets:del_element/2, N, P, Views).

change(How, N, P, Views) ->
    case Views of
        #{N := V} -> Views#{N := How(P, V)};
        _ -> Views
    end.

watching() -> observer ! {watching, self()}, receive {watching, N} -> N end.
whole(Size) -> observer ! {whole, self(), Size}, receive {whole, N} -> N end.

%% Each round: whether so many of them are alive, what so many see, and of so many, each in one call, so
%% many probes of others: of all of them, or of one beside those that it probes. The first two by calls of
%% init:get_status/0 and nodes/0, or by a message to the watcher and its answer, as Rollcall asks them.
ask({How, Statuses, Views, Calls, Probes}, Ms) ->
    spawn(fun() -> rounds(How, Statuses, Views, Calls, Probes, Ms, 0) end), ok.

rounds(How, Statuses, Views, Calls, Probes, Ms, At) ->
    Begun = erlang:monotonic_time(millisecond),
    observer ! {nodes, self()},
    Marks = receive {nodes, M} -> M end,
    All = lists:sort(maps:keys(Marks)),
    Count = length(All),
    Shifted = fun(By) -> {A, B} = lists:split(By rem max(1, Count), All), B ++ A end,
    Living = lists:sublist(Shifted(At * Statuses), Statuses),
    Some = lists:sublist(Shifted(At * Views), Views),
    [{rollcall_watcher_observer, N} ! {alive, At + 1} || How =:= watchers, N <- Living],
    [{rollcall_watcher_observer, N} ! {same, At + 1, element(2, maps:get(N, Marks))} || How =:= watchers, N <- Some],
    Status = [erpc:send_request(N, init, get_status, []) || How =:= calls, N <- Living],
    Asked = [{N, erpc:send_request(N, erlang, nodes, [])} || How =:= calls, N <- Some],
    Circle = list_to_tuple(Shifted(At)),
    Other = fun(From, By) -> element((From + By) rem Count + 1, Circle) end,
    By = fun(I) when Calls < Count -> I; (I) -> 1 + (At * Probes + I) rem max(1, Count - 1) end,
    Probed = [begin
                  From = K * Count div Calls,
                  probe(Other(From, 0), [Other(From, By(I)) || I <- lists:seq(1, Probes)])
              end || Probes > 0, Count > 0, K <- lists:seq(0, min(Calls, Count) - 1)],
    [catch erpc:receive_response(R, 5000) || R <- Status],
    [try observer ! {view, N, lists:sort(erpc:receive_response(R, 5000))} catch _:_ -> ok end || {N, R} <- Asked],
    [try [receive {Ref, yes} -> ok after 1000 -> ok end || {ok, Ref} <- lists:zip(erpc:receive_response(R, 5000), Refs)]
     catch _:_ -> ok end || {R, Refs} <- Probed],
    flush(),
    timer:sleep(max(0, Ms - (erlang:monotonic_time(millisecond) - Begun))),
    rounds(How, Statuses, Views, Calls, Probes, Ms, At + 1).

flush() -> receive _ -> flush() after 0 -> ok end.

probe(On, To) ->
    Refs = [make_ref() || _ <- To],
    Messages = [{'$gen_call', {self(), Ref}, {is_auth, On}} || Ref <- Refs],
    {erpc:send_request(On, lists, zipwith3, [fun erlang:send/3, [{net_kernel, N} || N <- To], Messages,
                                             [[noconnect, nosuspend] || _ <- To]]), Refs}.
)erl";

}  // namespace

erlang_observer::erlang_observer(const fleet_program& fleet) : size_(fleet.size()) {
  node_.emplace(test::beam_options{.name = "observer@127.0.0.1",
                                   .network_namespace = {},
                                   .environment = {{"ERL_FLAGS", ""}},
                                   .hidden = true});
  test::temporary_directory files;
  const auto source = files.write("observer.erl", observer_module);
  const auto loaded =
      node_->eval(fmt::format("case compile:file(\"{}\", [binary, return]) of {{ok, observer, Code, _}} -> "
                              "code:load_binary(observer, \"observer\", Code); Other -> Other end",
                              source),
                  120s);
  if (loaded != "{module,observer}") throw std::runtime_error(loaded);
  std::string list;
  for (const auto& name : fleet.names()) list += (list.empty() ? "'" : ",'") + name + "'";
  node_->eval("observer:start([" + list + "])", 120s);
}

void erlang_observer::wait_until_watching() {
  const auto all = [&] { return node_->eval("observer:watching()") == std::to_string(size_); };
  if (!eventually(all, 120s, "the Erlang node watches all", 200ms))
    throw std::runtime_error("it does not watch");
}

void erlang_observer::ask_like(const passed& a_minute, std::chrono::seconds interval, asked_by how) {
  const auto rounds = 60.0 / static_cast<double>(interval.count());
  const auto of = [&](const std::string& what) {
    const auto found = a_minute.asked.find(what);
    return found == a_minute.asked.end() ? 0 : found->second / rounds;
  };
  const auto calls = of("lists:zipwith3"), targets = of("probed");
  const auto living =
      how == asked_by::plainly ? static_cast<double>(size_) : of("init:get_status") + of("watcher: alive");
  node_->eval(fmt::format(
      "observer:ask({{{}, {}, {}, {}, {}}}, {})", how == asked_by::watchers ? "watchers" : "calls",
      std::lround(living), std::lround(of("watcher: same")), std::lround(calls),
      std::lround(calls == 0 ? 0 : targets / calls), std::chrono::milliseconds(interval).count()));
}

std::size_t erlang_observer::whole_views() {
  return static_cast<std::size_t>(number(node_->eval(fmt::format("observer:whole({})", size_ - 1))));
}

}  // namespace rollcall::bench
