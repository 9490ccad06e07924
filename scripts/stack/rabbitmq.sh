# One private RabbitMQ with its own epmd, in $STACK/rabbitmq. Sourced by devstack.
# shellcheck shell=bash

RABBITMQ_FOLDER=$STACK/rabbitmq

# The program itself: the wrapper in /usr/sbin changes user and folder and drops the environment.
rabbitmq_program() {
  local program
  program=$(printf '%s\n' /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server | sort -V | tail -1)
  [ -x "$program" ] || die "RabbitMQ is not installed: scripts/bootstrap rabbitmq"
  echo "$program"
}

rabbitmq_user() { service_user rabbitmq; }

rabbitmq_create() {
  mkdir -p "$RABBITMQ_FOLDER"/{data,log,generated}
  (
    umask 077
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$RABBITMQ_FOLDER/.erlang.cookie"
  )
  chmod 400 "$RABBITMQ_FOLDER/.erlang.cookie"
  echo '[rabbitmq_management].' >"$RABBITMQ_FOLDER/enabled_plugins"
  # Small logs start faster; queue lengths are published every half second, not every five.
  echo '[{ra, [{wal_max_size_bytes, 67108864}]}, {rabbit, [{quorum_tick_interval, 500}]}].' \
    >"$RABBITMQ_FOLDER/advanced.config"
  chown -R "$(rabbitmq_user)" "$RABBITMQ_FOLDER"
}

rabbitmq_choose_ports() {
  local ports
  read -ra ports <<<"$(free_ports 4)"
  echo "AMQP_PORT=${ports[0]} API_PORT=${ports[1]} DISTRIBUTION_PORT=${ports[2]} EPMD_PORT=${ports[3]}"
}

rabbitmq_configure() {
  cat >"$RABBITMQ_FOLDER/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$AMQP_PORT
management.tcp.ip = 127.0.0.1
management.tcp.port = $API_PORT
collect_statistics_interval = 1000
default_user = guest
default_pass = guest
vm_memory_high_watermark.absolute = 1GiB
disk_free_limit.absolute = 200MB
CONF
}

# Erlang reads its cookie from HOME.
rabbitmq_environment() {
  local loopback="-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
  export HOME=$RABBITMQ_FOLDER RABBITMQ_NODENAME=labwire$AMQP_PORT@localhost RABBITMQ_USE_LONGNAME=false
  export RABBITMQ_NODE_PORT=$AMQP_PORT RABBITMQ_DIST_PORT=$DISTRIBUTION_PORT
  export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$EPMD_PORT
  export RABBITMQ_MNESIA_BASE=$RABBITMQ_FOLDER/data RABBITMQ_LOG_BASE=$RABBITMQ_FOLDER/log
  export RABBITMQ_GENERATED_CONFIG_DIR=$RABBITMQ_FOLDER/generated
  export RABBITMQ_ENABLED_PLUGINS_FILE=$RABBITMQ_FOLDER/enabled_plugins
  export RABBITMQ_CONFIG_FILE=$RABBITMQ_FOLDER/rabbitmq.conf
  export RABBITMQ_ADVANCED_CONFIG_FILE=$RABBITMQ_FOLDER/advanced.config
  export RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_PID_FILE=$RABBITMQ_FOLDER/pid
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="$loopback +S 2:2"
  # The start script then becomes the virtual machine, so that the pid we record is the one to signal.
  export RABBITMQ_ALLOW_INPUT=1 RABBITMQ_SERVER_START_ARGS="-noinput +B i"
}

rabbitmq_start() {
  rabbitmq_configure
  (
    rabbitmq_environment
    cd "$RABBITMQ_FOLDER" || exit 1
    # Our own epmd: one that the node starts would outlive it.
    if ! process_pid "$STACK/epmd.pid" >/dev/null; then
      process_start "$STACK/epmd.pid" "$STACK/log/epmd.log" "$(rabbitmq_user)" epmd -address 127.0.0.1 -port "$EPMD_PORT"
    fi
    wait_until 10 "$STACK/epmd.pid" tcp_open "$EPMD_PORT" || exit 1
    process_start "$STACK/rabbitmq.pid" "$STACK/log/rabbitmq.log" "$(rabbitmq_user)" "$(rabbitmq_program)"
  ) || return 1
  wait_until 90 "$STACK/rabbitmq.pid" rabbitmq_is_ours &&
    wait_until 10 "$STACK/rabbitmq.pid" tcp_open "$AMQP_PORT"
}

# Not somebody else's broker, on a port that was free when we drew it.
rabbitmq_is_ours() {
  curl -fsS -m 3 -u guest:guest "http://127.0.0.1:$API_PORT/api/nodes/labwire$AMQP_PORT@localhost" >/dev/null
}

rabbitmq_ctl() {
  local program
  program=$(dirname "$(rabbitmq_program)")/rabbitmqctl
  (
    rabbitmq_environment
    # Those are the server's own: its control program is a virtual machine of its own.
    unset RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS RABBITMQ_SERVER_START_ARGS RABBITMQ_DIST_PORT RABBITMQ_NODE_PORT
    cd "$RABBITMQ_FOLDER" && as_user "$(rabbitmq_user)" "$program" --quiet "$@"
  )
}

rabbitmq_provision() { :; }

rabbitmq_env() {
  echo "export LABWIRE_TEST_AMQP_URL=amqp://guest:guest@127.0.0.1:$AMQP_PORT"
  echo "export LABWIRE_TEST_RABBITMQ_API=http://127.0.0.1:$API_PORT/api"
}

rabbitmq_stop() {
  process_stop "$STACK/rabbitmq.pid" TERM 40
  process_stop "$STACK/epmd.pid" TERM 2
}

rabbitmq_kill() {
  process_stop "$STACK/rabbitmq.pid" KILL 5
  process_stop "$STACK/epmd.pid" KILL 5
}
