# A root in which systemd takes itself for one that an UEFI firmware has started: $1 an empty folder, $2 LoaderDevicePartUUID, then the command.
# Runs in a mount namespace of its own. The marks of a container are hidden, as systemd's generators do nothing in one.
set -e
top=$1 part=$2
shift 2
mount -t tmpfs none "$top"
mkdir "$top/upper" "$top/work" "$top/root"
for mark in /.dockerenv /run/.containerenv; do
    [ ! -e "$mark" ] || { mkdir -p "$top/upper$(dirname $mark)" && mknod "$top/upper$mark" c 0 0; }
done
mount -t overlay none -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$top/root"
for folder in proc sys dev; do mount --rbind "/$folder" "$top/root/$folder"; done
mount -t tmpfs none "$top/root/run"
mount -t tmpfs none "$top/root/sys/firmware"
vars=$top/root/sys/firmware/efi/efivars
mkdir -p "$vars"
variable=$vars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
printf '\006\000\000\000' > "$variable"
printf '%s\0' "$part" | iconv -t UTF-16LE >> "$variable"
exec chroot "$top/root" "$@"
