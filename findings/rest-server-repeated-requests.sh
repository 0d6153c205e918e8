#!/usr/bin/env bash
# restic's rest-server: a repeated upload is forbidden, a repeated removal succeeds.
#
# A client whose answer was lost sends its request again, and by the rules of HTTP one would expect
# an upload of the very same bytes under the very same name to be fine, and the removal of what is
# not there to be 404. It is the other way round: the second POST of an object is 403 "Forbidden",
# with the same bytes as with others, in a server that is neither append-only nor wants to know who
# asks; and DELETE is 200 whether or not there was anything to remove. So a client cannot tell from a
# 403 that it may not write, nor from a 200 that something is gone that was there: both times it has
# to ask with HEAD.
#
# Seen on 29 November 2026 with rest-server 0.14.0 (Debian's restic-rest-server 0.14.0-1, of sid):
#   POST an object             200
#   POST the same again        403
#   HEAD it                    200
#   DELETE it                  200
#   DELETE it again            200
#   HEAD it                    404
#   POST a config              200
#   POST the same again        403
#   DELETE a lock never made   200
#
# Wants Debian's package client, set up for a mirror, and curl.
set -euo pipefail
here=$(realpath "${BASH_SOURCE[0]}")
scratch=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null; rm -rf "$scratch"' EXIT
cd "$scratch"

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/*$')
mkdir -p sources lists/partial cache/archives/partial
cat >sources/sid.sources <<SOURCE
Types: deb
URIs: $mirror
Suites: sid
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCE
client=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$scratch/sources"
  -o "Dir::State::lists=$scratch/lists" -o "Dir::Cache=$scratch/cache"
  -o Acquire::Languages=none -o APT::Sandbox::User=root)
"${client[@]}" update
"${client[@]}" download restic-rest-server=0.14.0-1
dpkg -x restic-rest-server_*.deb unpacked

port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
unpacked/usr/bin/restic-rest-server --no-auth --path "$scratch/vaults" --listen "127.0.0.1:$port" \
  >server.log 2>&1 &
server=$!
ask() { # what is said of it, and curl's arguments
  local said=$1
  shift
  printf '%-26s %s\n' "$said" "$(curl --silent --output /dev/null --write-out '%{http_code}' \
    --retry 20 --retry-connrefused --retry-delay 1 "$@")" | tee -a told
}
vault=http://127.0.0.1:$port/vault
name=$(printf x | sha256sum | cut -d' ' -f1)
curl --silent --retry 20 --retry-connrefused --retry-delay 1 --request POST "$vault/?create=true"
ask 'POST an object' --data-binary x "$vault/data/$name"
ask 'POST the same again' --data-binary x "$vault/data/$name"
ask 'HEAD it' --head "$vault/data/$name"
ask 'DELETE it' --request DELETE "$vault/data/$name"
ask 'DELETE it again' --request DELETE "$vault/data/$name"
ask 'HEAD it' --head "$vault/data/$name"
ask 'POST a config' --data-binary y "$vault/config"
ask 'POST the same again' --data-binary y "$vault/config"
ask 'DELETE a lock never made' --request DELETE "$vault/locks/$name"
if ! diff told <(sed -n 's/^#   \([PHD].*\)/\1/p' "$here"); then
  echo "This is not what was seen." >&2
  exit 1
fi
echo "As seen."
