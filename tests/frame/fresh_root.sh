#!/bin/bash
# Runs a command of this repository in a fresh Debian: a folder made by debootstrap with nothing
# but the base system and this machine's own settings for package clients. Needs root.
#   tests/frame/fresh_root.sh bookworm|trixie root|sudo FOLDER COMMAND...
#   e.g. tests/frame/fresh_root.sh trixie sudo /var/tmp/roots ./dev demo
# CLOISTER_CCACHE=FOLDER lends the root a compiler cache, to spare time when run again and again.
# FOLDER/RELEASE is kept as a template; the root used is FOLDER/RELEASE-USER, made anew each time.
set -euo pipefail
[[ $# -ge 4 && $1 =~ ^(bookworm|trixie)$ && $2 =~ ^(root|sudo)$ ]] || {
  sed -n '2,8s/^# //p' "$0" >&2
  exit 2
}
release=$1
user=$2
mkdir -p "$3"
template=$(cd "$3" && pwd)/$release
fresh=$template-$user
shift 3
repository=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)

if [[ ! -f $template/etc/debian_version ]]; then
  mirror=$(apt-get indextargets --format '$(ORIGIN)/$(LABEL) $(SITE)' 'Created-By: Packages' |
    sed -n 's,^Debian/Debian ,,p' | head -n 1)
  debootstrap --variant=minbase --include=sudo "$release" "$template.new" "$mirror"
  mv "$template.new" "$template"
fi
rm -rf --one-file-system "$fresh"
cp -a "$template" "$fresh"

# What this machine's apt and pip are told, and nothing else of it.
apt-config dump | grep -E '^Acquire::(https?|Check|Retries)' \
  >"$fresh/etc/apt/apt.conf.d/90machine" || true
cp -L /etc/resolv.conf /etc/hosts "$fresh/etc/"
[[ ! -f /etc/pip.conf ]] || cp /etc/pip.conf "$fresh/etc/pip.conf"
mkdir -p "$fresh/usr/local/share"
cp -a /usr/local/share/ca-certificates "$fresh/usr/local/share/"
client_setting='^(PIP_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|(https?|no)_proxy|(HTTPS?|NO)_PROXY)='
settings=()
while IFS= read -r -d '' setting; do
  [[ ! $setting =~ $client_setting ]] || settings+=("$setting")
done < <(env -0)

chroot "$fresh" useradd --create-home --shell /bin/bash builder
printf 'builder ALL=(ALL) NOPASSWD: ALL\n' >"$fresh/etc/sudoers.d/builder"
home=/root
account=root
[[ $user == root ]] || { home=/home/builder; account=builder; }
git clone --quiet --no-hardlinks "$repository" "$fresh$home/cloister"

mkdir -p "$fresh$home/.cache/ccache"
chroot "$fresh" chown -R "$account" "$home/cloister" "$home/.cache"
export fresh home account
# A process namespace of its own: whatever the command leaves running ends with it.
exec unshare --mount --pid --fork bash -c '
  mount -t proc proc "$fresh/proc"
  mount --rbind /dev "$fresh/dev"
  [[ -z ${CLOISTER_CCACHE:-} ]] || mount --bind "$CLOISTER_CCACHE" "$fresh$home/.cache/ccache"
  exec chroot "$fresh" setpriv --reuid "$account" --regid "$account" --init-groups \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME="$home" USER="$account" LANG=C.UTF-8 "${@:2:$1}" \
    bash -c "cd ~/cloister && exec \"\$@\"" - "${@:$(($1 + 2))}"
' - "${#settings[@]}" "${settings[@]}" "$@"
