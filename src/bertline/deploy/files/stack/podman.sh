#!/bin/sh
# The stack by podman alone: images, addresses and settings of compose.yaml, and no Compose.
#
#   sh podman.sh start [SERVICE…]      all services, or these: postgres redis @{each} gateway prometheus
#   sh podman.sh upgrade               the image that .env names now, one replica after the other
#   sh podman.sh bertline ARGUMENTS…   a command of bertline with the settings of the replicas
#   sh podman.sh stop [SERVICE…]       volumes stay
#   sh podman.sh status
#
# In .env or the environment, REPLICA_OPTIONS are passed on to podman run for each replica, and BERTLINE_… variables
# override the settings below.
set -eu
cd "$(dirname "$0")"
set -a
. ./.env
: "${BERTLINE_AUTH_DATABASE:=postgresql+psycopg://bertline:$POSTGRES_PASSWORD@postgres/bertline}"
: "${BERTLINE_LIMITS_STORE_URL:=redis://:$REDIS_PASSWORD@redis:6379/0}"
: "${BERTLINE_LIMITS_TOKENS_PER_MINUTE:=1000000}" # of a client, over all replicas
: "${BERTLINE_EDGE_TRUSTED_PROXIES:=@{network}.2}"
: "${BERTLINE_LOGS_FORMAT:=json}"
POSTGRES_USER=bertline POSTGRES_DB=bertline REDISCLI_AUTH=$REDIS_PASSWORD
set +a

name=@{name} network=@{network}
START_S=120
STOP_S=30

# launch SERVICE OPTIONS… IMAGE [COMMAND…]: in the inner network. Where there is no systemd to run health checks,
# podman does not start a container that has one, so this script asks for health itself.
launch() {
    service=$1
    shift
    podman run --detach --replace --name "$name-$service" --restart unless-stopped --no-healthcheck \
        --log-driver k8s-file --log-opt max-size=100mb "$@" >/dev/null # without a limit, it would fill the disk
}

# until_ready SERVICE COMMAND…: the command succeeds inside; fails where the service has ended or needs too long.
until_ready() {
    service=$1
    shift
    end=$(($(date +%s) + START_S))
    until podman exec "$name-$service" "$@" >/dev/null 2>&1; do
        if [ "$(podman inspect --format '{{.State.Running}} {{.RestartCount}}' "$name-$service")" != "true 0" ] ||
            [ "$(date +%s)" -gt "$end" ]; then
            podman logs --tail 20 "$name-$service" >&2
            echo "podman.sh: $service is not ready: its last lines above say why" >&2
            return 1
        fi
        sleep 0.2
    done
}

# Only the names of variables stand on command lines, which everybody on the machine can read.
settings() {
    env | sed -n 's/^\(BERTLINE_[A-Z_]*\)=.*/--env=\1/p'
}

# at NUMBER: address and MAC in the inner network. The MAC follows from the address, so a new container has that of the
# one before it; otherwise the gateway's machine sends to the old one for seconds.
at() {
    # shellcheck disable=SC2046 # a number for each argument
    echo "$name-back:ip=$network.$1,mac=$(printf '02:42:%02x:%02x:%02x:%02x' $(echo "$network.$1" | tr . ' '))"
}

replica() {
    # shellcheck disable=SC2046,SC2086 # a word for each option
    launch "$1" --network "$(at $((10 + ${1#replica-})))" $(settings) --read-only --read-only-tmpfs=false \
        --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --memory 1g --stop-timeout $STOP_S \
        ${REPLICA_OPTIONS:-} "$MODEL_IMAGE"
}

start() {
    case $1 in
    replica-*) replica "$1" ;;
    postgres)
        launch postgres --network "$name-back:alias=postgres" --volume "$name-postgres:/var/lib/postgresql/data" \
            --env POSTGRES_USER --env POSTGRES_DB --env POSTGRES_PASSWORD "${POSTGRES_IMAGE:-docker.io/library/postgres:17}"
        ;;
    redis)
        # shellcheck disable=SC2016 # the container's shell reads the variable
        launch redis --network "$name-back:alias=redis" --env REDISCLI_AUTH --read-only --tmpfs /data \
            "${REDIS_IMAGE:-docker.io/library/redis:7}" \
            sh -c 'exec redis-server - <<END
requirepass $REDISCLI_AUTH
save ""
END'
        ;;
    gateway)
        launch gateway --network "$(at 2)" --network "$name-front" --user "$STACK_USER" \
            --publish "${STACK_PORT:-8443}:8443" --volume ./nginx.conf:/etc/bertline/nginx.conf:ro --volume ./certs:/certs:ro \
            --read-only --tmpfs /tmp:mode=1777,size=512m --cap-drop ALL --security-opt no-new-privileges \
            "${NGINX_IMAGE:-docker.io/library/nginx:stable}" nginx -c /etc/bertline/nginx.conf -g 'daemon off;'
        ;;
    prometheus)
        launch prometheus --network "$name-back" --network "$name-front" --publish 127.0.0.1:9090:9090 \
            --volume ./prometheus:/etc/prometheus:ro --volume ./keys:/etc/bertline:ro --volume "$name-prometheus:/prometheus" \
            "${PROMETHEUS_IMAGE:-docker.io/prom/prometheus:v3.0.0}" --config.file=/etc/prometheus/prometheus.yml \
            --storage.tsdb.path=/prometheus --storage.tsdb.retention.time=15d
        ;;
    *) echo "podman.sh: there is no service $1: see the first lines of this file" >&2 && return 2 ;;
    esac
}

ready() {
    case $1 in
    replica-*) until_ready "$1" python3 -m bertline.deploy.health ;;
    postgres) until_ready postgres pg_isready -U bertline ;;
    redis) until_ready redis redis-cli ping ;;
    esac
}

stop() {
    podman container exists "$name-$1" || return 0
    podman stop --time $STOP_S "$name-$1" >/dev/null
    podman rm "$name-$1" >/dev/null
}

# Services without an address get theirs from the upper half; otherwise the first to start would take the gateway's.
networks() {
    podman network exists "$name-back" ||
        podman network create --internal --subnet "$network.0/24" --ip-range "$network.128/25" "$name-back" >/dev/null
    podman network exists "$name-front" || podman network create "$name-front" >/dev/null
}

verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in
start)
    networks
    if [ $# -gt 0 ]; then
        for one in "$@"; do start "$one"; done
        for one in "$@"; do ready "$one"; done
    else
        for one in postgres redis; do start $one; ready $one; done
        for one in @{each}; do start "$one"; done
        for one in @{each}; do ready "$one"; done
        for one in gateway prometheus; do start $one; done
    fi
    ;;
upgrade)
    # A replica that stops still answers what it has begun, and the gateway sends new requests to the others.
    for one in @{each}; do
        stop "$one"
        replica "$one"
        ready "$one"
    done
    ;;
bertline)
    # shellcheck disable=SC2046 # a word for each option
    podman run --rm --network "$name-back" $(settings) --no-healthcheck "$MODEL_IMAGE" "$@"
    ;;
stop)
    [ $# -gt 0 ] || set -- prometheus gateway @{each} redis postgres
    for one in "$@"; do stop "$one"; done
    ;;
status) podman ps --all --filter "name=^$name-" --format '{{.Names}}  {{.Image}}  {{.Status}}' ;;
*)
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
