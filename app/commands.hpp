// The program's commands, each giving its exit code (docs/configuration.md lists them).
#pragma once

#include "app/configuration.hpp"

namespace rollcall::app {

inline constexpr int exit_ok = 0;
inline constexpr int exit_not_whole = 1;       // check, doctor: something is wrong with the cluster
inline constexpr int exit_cannot_start = 1;    // run
inline constexpr int exit_could_not_tell = 2;  // check, doctor
inline constexpr int exit_usage = 2;           // a bad option, whatever the command

int run(const configuration&, const environment&);
int check(const configuration&, const environment&);
int pause(const configuration&, const environment&);  // and resume
int doctor(const configuration&, const environment&);

}  // namespace rollcall::app
