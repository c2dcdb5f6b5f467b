%% Makes both modules, each of the OTP that runs this: OTP's own dist_util under a name of the same length, and what stands in its place.
-module(headerless).
-export([make/2]).

make(Sources, Into) ->
  {dist_util, Original, _} = code:get_object_code(dist_util),
  {ok, dist_util, Chunks} = beam_lib:all_chunks(Original),
  {ok, Renamed} = beam_lib:build_module([renamed(Chunk) || Chunk <- Chunks]),
  ok = file:write_file(filename:join(Into, "dist_true.beam"), Renamed),
  {ok, dist_util} = compile:file(filename:join(Sources, "dist_util"), [{outdir, Into}, report]).

%% A module's name is the first of its atoms.
renamed({"AtU8", Atoms}) -> {"AtU8", binary:replace(Atoms, <<"dist_util">>, <<"dist_true">>)};
renamed(Chunk) -> Chunk.
