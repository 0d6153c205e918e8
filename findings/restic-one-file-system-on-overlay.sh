#!/usr/bin/env bash
# restic: --one-file-system on an overlay of two disks stores folders and no file, and all is well.
#
# On live systems, routers and in containers, the root is an overlay: a layer that is only read, and
# one on another disk that takes the changes. On one whose layers are of two file systems, Linux gives
# folders the overlay's own device number, and each file one of its layer's. `find -xdev`, `tar
# --one-file-system` and rsync ask folders alone whether they are a border, so they take every file.
# restic asks files too, finds each on "another" file system, and leaves it out: no file is in the
# snapshot, no word is said, and the exit status is 0.
#
# Seen on 29 November 2026 with restic 0.18.0 (Debian's restic 0.18.0-1+b4, of trixie), Linux 6.18:
#   device numbers of folders     1
#   device numbers of files       2, none of them the folders'
#   find -xdev                    3 files
#   tar --one-file-system         3 files
#   restic backup                 3 files, exit status 0
#   restic backup -x              0 files, exit status 0
#   restic ls                     /top /top/folder
#
# Wants root, since it mounts (in a name space of its own), and Debian's package client, set up for a
# mirror.
set -euo pipefail
here=$(realpath "${BASH_SOURCE[0]}")
if [[ ${1:-} != mounting ]]; then exec unshare --mount --propagation private "$here" mounting; fi
scratch=$(mktemp -d)
trap 'cd /; umount "$scratch"/{top,upper,lower} 2>/dev/null || true; rm -rf "$scratch"' EXIT
cd "$scratch"

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/*$')
mkdir -p sources lists/partial cache/archives/partial
cat >sources/trixie.sources <<SOURCE
Types: deb
URIs: $mirror
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCE
client=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$scratch/sources"
  -o "Dir::State::lists=$scratch/lists" -o "Dir::Cache=$scratch/cache"
  -o Acquire::Languages=none -o APT::Sandbox::User=root)
"${client[@]}" update
"${client[@]}" download restic=0.18.0-1+b4
dpkg -x restic_*.deb unpacked

mkdir lower upper top
mount -t tmpfs lower lower
mount -t tmpfs upper upper
mkdir -p lower/folder upper/files upper/work
echo 1 >lower/file
echo 2 >lower/folder/file
mount -t overlay overlay -o "lowerdir=$PWD/lower,upperdir=$PWD/upper/files,workdir=$PWD/upper/work" top
echo 3 >top/folder/new

export RESTIC_PASSWORD=any RESTIC_REPOSITORY=$scratch/vault
restic() { unpacked/usr/bin/restic --no-cache "$@"; }
say() { printf '%-29s %s\n' "$1" "$2" | tee -a told; }
numbers() { find top -type "$1" -printf '%D\n' | sort -u; }
back_up() {
  local status=0 files
  files=$(restic backup --json "$@" top | sed -n 's/.*"files_new":\([0-9]*\).*/\1/p') || status=$?
  echo "$files files, exit status $status"
}
say 'device numbers of folders' "$(numbers d | wc -l)"
say 'device numbers of files' "$(numbers f | wc -l), $(
  [[ -n $(comm -12 <(numbers d) <(numbers f)) ]] && echo "the folders' among them" || echo "none of them the folders'"
)"
say 'find -xdev' "$(find top -xdev -type f | wc -l) files"
say 'tar --one-file-system' "$(tar --one-file-system -c top | tar -t | grep -vc '/$') files"
restic init --quiet
say 'restic backup' "$(back_up --host without)"
say 'restic backup -x' "$(back_up --one-file-system --host with)"
say 'restic ls' "$(restic ls --quiet latest --host with | grep '^/' | xargs)"
if ! diff told <(sed -n 's/^#   \([drtf].*\)/\1/p' "$here"); then
  echo "This is not what was seen." >&2
  exit 1
fi
echo "As seen."
