# The images that the rig's pods run: Rollcall's, in seconds from build/release by the script that fills the real one (`./dev image`
# compiles in a container, for minutes), and the example app's, by its own Dockerfile. Sourced by `dev`, after deploy/image/build.bash.

kube_images() {
  rollcall_archive
  app_archive
}

# The last stage of the Dockerfile, on what deploy/image/contents makes of the program of this machine.
rollcall_archive() {
  local archive=build/image/kube-rollcall.tar folder
  [[ ! $archive -nt build/release/rollcall || ! $archive -nt Dockerfile ]] || return 0
  folder=$(mktemp -d)
  deploy/image/contents build/release/rollcall "$folder/image"
  sed -n '/^FROM scratch/,$p' Dockerfile | sed 's#^COPY --from=build /image /#COPY image /#' >"$folder/Dockerfile"
  image_build buildah -q -t docker.io/library/rollcall:0.1.0 "$folder" >/dev/null
  rm -rf "$folder" "$archive"
  own_buildah push -q docker.io/library/rollcall:0.1.0 "docker-archive:$archive:docker.io/library/rollcall:0.1.0"
}

app_archive() {
  local archive=build/image/kube-app.tar key name
  key=$(find deploy/examples/app -type f | sort | xargs sha256sum | sha256sum)
  [[ ! -e $archive || $(cat $archive.key 2>/dev/null) != "$key" ]] || return 0
  if ! image_to_be_had buildah docker.io/library/debian:12-slim || ! image_to_be_had buildah docker.io/library/debian:12; then
    make_base buildah
    for name in debian:12 debian:12-slim; do own_buildah tag localhost/rollcall-base "docker.io/library/$name"; done
  fi
  say "dev: building the example app's image"
  image_build buildah -q --pull=never -t docker.io/library/app:0.1.0 deploy/examples/app >&2
  rm -f $archive
  own_buildah push -q docker.io/library/app:0.1.0 "docker-archive:$archive:docker.io/library/app:0.1.0"
  echo "$key" >$archive.key
}
