# One private PostgreSQL, in $STACK/pg. Sourced by devstack.
# shellcheck shell=bash

PG_HOME=$STACK/pg

# The newest server installed; Debian keeps the server's programs out of PATH.
pg_program() {
  local folder
  folder=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)
  if [ -x "$folder/$1" ]; then echo "$folder/$1"; else
    command -v "$1" || die "PostgreSQL is not installed: scripts/bootstrap postgres"
  fi
}

pg_user() { service_user postgres; }

pg_sql() { "$(pg_program psql)" -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$PG_PORT" -U postgres postgres; }

# Byte order for text, so that sorting does not depend on the machine's locales.
pg_create() {
  mkdir -p "$PG_HOME"
  chown "$(pg_user)" "$PG_HOME"
  [ "$DURABLE" = 1 ] || pg_put_in_memory
  (cd "$PG_HOME" && as_user "$(pg_user)" "$(pg_program initdb)" -D data -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync) \
    >>"$STACK/log/pg.log" 2>&1
}

# What need not last is kept in memory, if there is plenty: a database for each test is a thousand files each time.
pg_put_in_memory() {
  local free folder
  free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -1) || return 0
  if [ "${free:-0}" -lt $((4 * 1024 * 1024)) ]; then return 0; fi
  folder=$(mktemp -d /dev/shm/labwire-XXXXXX)
  chown "$(pg_user)" "$folder"
  ln -s "$folder" "$PG_HOME/data"
}

pg_remove() { if [ -L "$PG_HOME/data" ]; then rm -rf "$(readlink "$PG_HOME/data")"; fi; }

pg_choose_ports() { echo "PG_PORT=$(free_ports 1 | tr -d ' ')"; }

# No Unix socket: its path would have to fit in 107 bytes.
pg_start() {
  local settings=(port="$PG_PORT" listen_addresses=127.0.0.1 unix_socket_directories= max_connections=500
    max_wal_size=2GB log_min_duration_statement=500ms autovacuum_naptime=5s
    shared_preload_libraries=pg_stat_statements pg_stat_statements.track=none)
  [ "$DURABLE" = 1 ] || settings+=(fsync=off synchronous_commit=off full_page_writes=off)
  (
    cd "$PG_HOME" || exit 1
    process_start "$STACK/pg.pid" "$STACK/log/pg.log" "$(pg_user)" \
      "$(pg_program postgres)" -D "$PG_HOME/data" "${settings[@]/#/--}"
  ) || return 1
  wait_until 60 "$STACK/pg.pid" pg_is_ours
}

# Not somebody else's server, on a port that was free when we drew it.
pg_is_ours() { [ "$(pg_sql <<<'show data_directory')" = "$PG_HOME/data" ]; }

# Statements are counted only in databases that ask for it.
pg_provision() {
  pg_sql <<'SQL'
create role labwire_owner login createrole createdb;
grant pg_read_all_stats to labwire_owner;
grant set on parameter pg_stat_statements.track to labwire_owner;
\c template1
create schema statistics authorization labwire_owner;
create extension pg_stat_statements schema statistics;
grant execute on function statistics.pg_stat_statements_reset to labwire_owner;
create database labwire owner labwire_owner;
SQL
}

pg_env() {
  local url=postgres://labwire_owner@127.0.0.1:$PG_PORT/labwire
  echo "export DATABASE_URL=$url"
  echo "export LABWIRE_TEST_DATABASE_URL=$url"
}

# INT is a fast shutdown; TERM would wait for the clients.
pg_stop() { process_stop "$STACK/pg.pid" INT 30; }

# QUIT ends the server and its children without a checkpoint: what a crash leaves behind.
pg_kill() { process_stop "$STACK/pg.pid" QUIT 10; }
