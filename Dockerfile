# Two stages on Debian 12: everything to build with, then only what the program needs to run.
#   docker build -t rollcall:0.1.0 .
ARG BASE=debian:12-slim

FROM ${BASE} AS build
COPY . /src
RUN cd /src && ./dev build && strip build/release/rollcall

FROM ${BASE}
LABEL org.opencontainers.image.title="rollcall" \
      org.opencontainers.image.description="Calls the roll of a BEAM cluster: discovers, connects and watches its nodes"
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libboost-json1.81.0 libc-ares2 libfmt9 libprometheus-cpp-core1.0 libssl3 \
      libstdc++6 libtomlplusplus3 >/dev/null \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/release/rollcall /usr/local/bin/rollcall
USER 65532:65532
ENV HOME=/tmp ROLLCALL_HTTP=[::]:14369
EXPOSE 14369 4369
ENTRYPOINT ["/usr/local/bin/rollcall"]
