# Two stages: Debian 12 with everything to build with; then only what the program needs to run, on nothing.
# `./dev image` builds it, with a base of its own where no registry is reachable. By hand:
#   docker build -t rollcall:0.1.0 --build-arg REVISION=$(git rev-parse --short=12 HEAD) .
ARG BASE=debian:12-slim

FROM ${BASE} AS build
WORKDIR /src
# A layer of its own: it stays until the list of packages changes.
COPY dev ./
RUN ./dev packages && apt-get clean
COPY . ./
RUN ./dev build
# .git does not come along. Told last, so that a commit which leaves the sources as they are compiles one file, not all.
ARG REVISION=unknown
RUN ROLLCALL_REVISION=${REVISION} ./dev build && deploy/image/contents build/release/rollcall /image

FROM scratch
COPY --from=build /image /
USER 65532:65532
# No home: a cookie is given, not made up in a container.
ENV HOME=/nonexistent ROLLCALL_HTTP=[::]:14369
EXPOSE 14369 4369 9100
# Whether it answers; never whether the cluster is well.
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s --retries=3 CMD ["/usr/local/bin/rollcall", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/rollcall"]
CMD ["run"]
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED
LABEL org.opencontainers.image.title="rollcall" \
      org.opencontainers.image.description="Calls the roll of a BEAM cluster: discovers, connects and watches its nodes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
