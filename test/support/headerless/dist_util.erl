%% In the place of OTP's dist_util, which is dist_true then: a node with it does not announce the flags of `-rejects FLAGS`, as OTP lets
%% carriers of distribution do (reject_flags). Where this is in the code path (-pa), every handshake of the node goes through it.
-module(dist_util).
-export([handshake_we_started/1, handshake_other_started/1, announced/0, '$handle_undefined_function'/2]).
-include_lib("kernel/include/dist_util.hrl").

handshake_we_started(Data) -> dist_true:handshake_we_started(rejecting(Data)).
handshake_other_started(Data) -> dist_true:handshake_other_started(rejecting(Data)).

%% The flags in each handshake of this node so far, as they went out.
announced() -> persistent_term:get(?MODULE, []).

rejecting(#hs_data{f_send = Send} = Data) ->
  {ok, [[Flags]]} = init:get_argument(rejects),
  Data#hs_data{reject_flags = list_to_integer(Flags),
               f_send = fun(Socket, Packet) -> note(iolist_to_binary(Packet)), Send(Socket, Packet) end}.

note(<<$N, Flags:64, _/binary>>) -> persistent_term:put(?MODULE, [Flags | announced()]);
note(<<$n, _Version:16, Flags:32, _/binary>>) -> persistent_term:put(?MODULE, [Flags | announced()]);
note(_) -> ok.

'$handle_undefined_function'(Function, Arguments) -> apply(dist_true, Function, Arguments).
