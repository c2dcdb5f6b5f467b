# ./dev release VERSION [--dry-run]: what a release consists of. Sourced by `dev`: say, die and install are its.
# --dry-run makes the whole release in a clone in build/, shows what its commit would change and the checksums, and removes it: no
# file, commit or tag of this folder is touched.

release_version_now() { sed -nE 's/^project\(rollcall VERSION ([0-9.]+).*/\1/p' CMakeLists.txt; }

# release_set_version FROM TO: in the places that name the version, and in what calls the image by it; test/unit/modules holds them
# equal.
release_set_version() {
  local from=${1//./\\.}
  sed -i -E "s/^(project\(rollcall VERSION )$from/\\1$2/" CMakeLists.txt
  sed -i -E "s/^(ARG VERSION=)$from/\\1$2/" Dockerfile
  sed -i -E "s/^((appVersion|version): )$from/\\1$2/" deploy/chart/rollcall/Chart.yaml
  sed -i -E "s/^( *newTag: )$from/\\1$2/" deploy/base/kustomization.yaml docs/operations.md
  git grep -lzE "rollcall:$from\\b" -- ':!CHANGELOG.md' | xargs -0 sed -i -E "s/(rollcall:)$from\\b/\\1$2/g"
  sed -i -E "s/^## Unreleased.*/## $2 ($(date -u +%Y-%m-%d))/" CHANGELOG.md
}

# release_artifacts VERSION FOLDER
release_artifacts() {
  local version=$1 folder=$2 machine
  machine=$(uname -m)
  mkdir -p "$folder"
  ./dev build
  command install -m 755 --strip build/release/rollcall "$folder/rollcall-$version-linux-$machine"
  ./dev image "rollcall:$version"
  cp build/image/rollcall.tar "$folder/rollcall-$version-image-$machine.tar"
  # What `helm package` makes: the chart's folder under its name.
  tar --owner=0 --group=0 --sort=name --mtime=@0 -C deploy/chart -czf "$folder/rollcall-chart-$version.tgz" rollcall
  (cd "$folder" && sha256sum rollcall-* >SHA256SUMS && cat SHA256SUMS)
}

# rehearse_release VERSION
rehearse_release() {
  local version=$1 clone=build/release-rehearsal tool
  tool=$(source test/support/image.bash && image_tool)
  rm -rf $clone
  trap "rm -rf '$PWD/$clone'" EXIT
  git clone -q --no-tags . $clone
  git -C $clone config user.name "$(git config user.name || echo rehearsal)"
  git -C $clone config user.email "$(git config user.email || echo rehearsal@localhost)"
  (cd $clone && exec ./dev release "$version")
  git -C $clone --no-pager show --stat --format='format:what it would change:' HEAD
  [[ $tool == buildah ]] || "$tool" image rm "rollcall:$version" >/dev/null
  say "this was a rehearsal of $version: nothing of it is left"
}

# make_release VERSION [--dry-run]
make_release() {
  local version=${1:-} dry=${2:-} folder
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "usage: ./dev release VERSION [--dry-run], VERSION as in 1.2.3"
  [[ -z $dry || $dry == --dry-run ]] || die "not an option of release: $dry"
  [[ -z $(git status --porcelain) ]] || die "there are changes that are not committed"
  ! git rev-parse -q --verify "refs/tags/v$version" >/dev/null || die "the tag v$version is there already"
  grep -q '^## Unreleased' CHANGELOG.md || die "CHANGELOG.md has no heading '## Unreleased'"
  if [[ -n $dry ]]; then
    rehearse_release "$version"
    return
  fi
  folder=build/release-$version
  release_set_version "$(release_version_now)" "$version"
  git commit -qam "release: $version"
  # The image says of which commit it is, so that one comes first; the tag only when everything could be made.
  trap 'say "dev: not tagged: something above failed; git reset --hard HEAD^ takes the commit back"' EXIT
  release_artifacts "$version" "$folder"
  trap - EXIT
  git tag -a "v$version" -m "rollcall $version"
  say "committed and tagged v$version; in $folder is what is published. Next: ./dev test on it, then git push --follow-tags"
}
