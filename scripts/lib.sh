# Sourced by the scripts beside it: messages, users, processes, ports. Sourcing it starts nothing.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
DEV=$ROOT/.dev
PATH=$DEV/tools/bin:$PATH

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# --- users

# The account a service runs under: its own when we are root, because PostgreSQL refuses root; else ours.
service_user() { if [ "$(id -u)" = 0 ]; then echo "$1"; else id -un; fi; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif sudo -n true 2>/dev/null; then sudo -n "$@"; else sudo "$@"; fi
}

# setpriv, unlike su and runuser, leaves the environment as it is.
as_user() {
  local user=$1
  shift
  if [ "$user" = "$(id -un)" ]; then "$@"; else
    setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups "$@"
  fi
}

# --- processes
# A pid file holds "pid birth". The birth, from /proc, tells a process from a later one with its number.

# The fields of /proc/PID/stat after the command name, which may contain spaces.
process_stat() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null; }

process_birth() { process_stat "$1" | cut -d' ' -f20; }

# A zombie still answers to kill -0, and a slow init leaves it there for seconds.
process_alive() {
  local state
  state=$(process_stat "$1" | cut -c1)
  [ -n "$state" ] && [ "$state" != Z ]
}

process_record() { echo "$2 $(process_birth "$2")" >"$1"; }

# process_pid FILE: prints the recorded pid if that very process still runs.
process_pid() {
  local pid birth
  [ -f "$1" ] && read -r pid birth <"$1" || return 1
  process_alive "$pid" && [ "$(process_birth "$pid")" = "$birth" ] && echo "$pid"
}

# process_start FILE LOG USER CMD...: runs CMD in a session of its own, so that a Ctrl-C meant for us does not
# reach it, with its output in LOG and its pid in FILE.
process_start() {
  local file=$1 log=$2 user=$3
  shift 3
  {
    if [ "$user" = "$(id -un)" ]; then exec setsid "$@"; else
      exec setsid setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups "$@"
    fi
  } >>"$log" 2>&1 </dev/null &
  process_record "$file" $!
}

# process_stop FILE SIGNAL SECONDS: KILL when the signal did not end it in time.
process_stop() {
  local file=$1 signal=$2 seconds=$3 pid deadline
  if pid=$(process_pid "$file"); then
    kill "-$signal" "$pid" 2>/dev/null || true
    deadline=$((SECONDS + seconds))
    while process_alive "$pid" && [ "$SECONDS" -le "$deadline" ]; do sleep 0.05; done
    if process_alive "$pid"; then
      say "process $pid did not stop within $seconds s: killed"
      kill -KILL "$pid" 2>/dev/null || true
    fi
  fi
  rm -f "$file"
}

# wait_until SECONDS FILE CMD...: until CMD succeeds; fails when time is up or the process in FILE is gone.
wait_until() {
  local deadline=$((SECONDS + $1)) file=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    process_pid "$file" >/dev/null && [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

# --- ports

tcp_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_ports N: N different TCP ports that nothing uses, from below the kernel's ephemeral range so that no
# outgoing connection takes one before it is bound.
free_ports() {
  local first=10000 last=30000 used port ports=" "
  [ ! -r /proc/sys/net/ipv4/ip_local_port_range ] || read -r last _ </proc/sys/net/ipv4/ip_local_port_range
  used=" $(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '{ print $2 }' | sed 's/.*://' | tr '\n' ' ')"
  while [ "$(wc -w <<<"$ports")" -lt "$1" ]; do
    port=$((first + (RANDOM * 32768 + RANDOM) % (last - first)))
    case "$used$ports" in *" $(printf %04X "$port") "* | *" $port "*) continue ;; esac
    ports+="$port "
  done
  echo "$ports"
}
